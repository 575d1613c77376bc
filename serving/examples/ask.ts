// A chat backend in TypeScript: send each message as it comes, act on the answer.
//   HANDOFF_URL=http://127.0.0.1:3000 HANDOFF_API_KEY=... node ask.js
// ask.js is made by: tsc --strict --target es2022 --module commonjs --types node --skipLibCheck ask.ts
// with the packages typescript and @types/node.

interface Answer {
  conversation_id: string;
  request_id: string;
  mode: "model_and_rules" | "rules_only";
  escalation: { probability: number | null; level: "low" | "medium" | "high" | "critical" | null };
  routing: { team: string; certain: boolean; priority: "low" | "normal" | "high" | "urgent"; tier: number };
  recommendation: {
    action: "none" | "monitor" | "prepare_specialist" | "proactive_escalation" | "escalate_now";
    within_seconds: number | null;
    reason: string | null;
    says: string;
  };
  customer_message: string | null;
}

interface Message {
  message_id: string;
  role: "customer" | "assistant" | "agent" | "system";
  text: string;
  sent_at?: string;
  confidence?: number;
}

const url = process.env.HANDOFF_URL ?? "http://127.0.0.1:3000";
const key = process.env.HANDOFF_API_KEY;

// A chat cannot wait longer for advice.
const milliseconds = 5000;

async function addMessage(conversationId: string, message: Message): Promise<Answer> {
  const end = Date.now() + milliseconds;
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (key) headers.authorization = `Bearer ${key}`;
  for (let attempt = 1; ; attempt++) {
    // The same message_id may be sent again: it is stored once, and answered as it was then.
    const reply = await fetch(`${url}/conversations/${encodeURIComponent(conversationId)}/messages`, {
      method: "POST",
      headers,
      body: JSON.stringify(message),
      signal: AbortSignal.timeout(2000),
    }).catch((error: Error) => error);
    if (reply instanceof Response && reply.ok) return (await reply.json()) as Answer;
    const seconds = reply instanceof Response ? Number(reply.headers.get("retry-after") ?? 0) : 0;
    const pause = Math.max(1000 * seconds, 50 * 2 ** attempt);
    const isOver = Date.now() + pause >= end;
    if (reply instanceof Response && (reply.status !== 503 || isOver)) {
      throw new Error(`status ${reply.status}: ${await reply.text()}`);
    }
    if (isOver) throw reply;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

async function main(): Promise<void> {
  const conversation = `example-${process.pid}`;
  const said: Message[] = [
    { message_id: "m1", role: "customer", text: "You charged me twice." },
    { message_id: "m2", role: "assistant", text: "I am not sure what happened there.", confidence: 0.52 },
    { message_id: "m3", role: "customer", text: "I want a refund, now." },
  ];
  for (const message of said) {
    const answer = await addMessage(conversation, message);
    const { action, reason } = answer.recommendation;
    console.log(`${message.message_id}: ${action}${reason ? ` because of ${reason}` : ""} -> ${answer.routing.team}`);
    if (answer.customer_message) console.log(`  tell the customer: ${answer.customer_message}`);
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
