"""A chat backend in Python: send each message as it comes, act on the answer.

HANDOFF_URL=http://127.0.0.1:3000 HANDOFF_API_KEY=... python ask.py
"""

import os

from handoff.client import Client
from handoff.transcript import Message

SAID = (
    Message(message_id="m1", role="customer", text="You charged me twice."),
    Message(message_id="m2", role="assistant", text="I am not sure what happened there.", confidence=0.52),
    Message(message_id="m3", role="customer", text="I want a refund, now."),
)

url, key = os.environ.get("HANDOFF_URL", "http://127.0.0.1:3000"), os.environ.get("HANDOFF_API_KEY")
with Client(url, key=key) as client:
    for message in SAID:
        answer = client.add_message(f"example-{os.getpid()}", message)
        advice = answer.recommendation
        because = f" because of {advice.reason}" if advice.reason else ""
        print(f"{message.message_id}: {advice.action}{because} -> {answer.routing.team}")
        if answer.customer_message:
            print(f"  tell the customer: {answer.customer_message}")
