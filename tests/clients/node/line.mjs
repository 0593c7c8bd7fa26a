/* line.mjs - Runs a store for tests/clients/run.py: one JSON object a line in,
 * one out. See there for what each operation means. */
import { createInterface } from "node:readline";

/* @open is called with { port, ttl } (seconds), and gives an object with a
 * method for each operation that the stack has. */
export async function serve(open) {
  const [port, ttl] = process.argv.slice(-2).map(Number);
  const store = await open({ port, ttl });
  console.log(JSON.stringify({ ready: true }));
  for await (const line of createInterface({ input: process.stdin })) {
    const { op, id, value } = JSON.parse(line);
    let answer;
    try {
      const result = await store[op](id, value);
      answer = { result: result === undefined ? null : result };
    } catch (error) {
      answer = { error: String(error.stack || error) };
    }
    console.log(JSON.stringify(answer));
  }
  process.exit(0);
}
