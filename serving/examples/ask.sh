#!/usr/bin/env bash
# A chat backend in shell: send each message as it comes, print the answer.
#   HANDOFF_URL=http://127.0.0.1:3000 HANDOFF_API_KEY=... ./ask.sh
set -euo pipefail
url=${HANDOFF_URL:-http://127.0.0.1:3000}

# The same message_id may be sent again: it is stored once, and answered as it was then.
add_message() {
  local answer
  answer=$(curl --silent --show-error --max-time 2 --retry 3 --retry-all-errors --retry-max-time 5 \
    --write-out '\n%{http_code}' --header 'content-type: application/json' \
    ${HANDOFF_API_KEY:+--header "authorization: Bearer $HANDOFF_API_KEY"} \
    --data "$1" "$url/conversations/example-$$/messages")
  echo "${answer%$'\n'*}"
  [ "${answer##*$'\n'}" = 200 ]
}

add_message '{"message_id": "m1", "role": "customer", "text": "You charged me twice."}'
add_message '{"message_id": "m2", "role": "assistant", "text": "I am not sure what happened there.", "confidence": 0.52}'
add_message '{"message_id": "m3", "role": "customer", "text": "I want a refund, now."}'
