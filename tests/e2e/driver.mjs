// driver.mjs KIND PACKAGE PORT... - As driver.py, with a package of
// tests/clients/node: ioredis-5, redis-5. KIND: cluster or sentinel.

import { createRequire } from "module";

const require = createRequire(new URL("../clients/node/", import.meta.url));
const [kind, name, ...ports] = process.argv.slice(2);
const nodes = ports.map((port) => ({ host: "127.0.0.1", port: Number(port) }));

function connectIoredis() {
  const module = require(name);
  const Redis = module.default || module;
  const client =
    kind === "cluster"
      ? new Redis.Cluster(nodes)
      : new Redis({
          sentinels: nodes,
          name: "mymaster",
          failoverDetector: true, // It subscribes to +switch-master.
        });
  client.on("error", () => {});
  return {
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value, "EX", 1000),
  };
}

async function connectNodeRedis() {
  const { createCluster, createSentinel } = require(name);
  const urls = ports.map((port) => ({ url: `redis://127.0.0.1:${port}` }));
  const client =
    kind === "cluster"
      ? createCluster({ rootNodes: urls })
      : createSentinel({ name: "mymaster", sentinelRootNodes: nodes });
  client.on("error", () => {});
  await client.connect();
  return {
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, String(value), { EX: 1000 }),
  };
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Some libraries never answer a request whose node died.
function answered(promise) {
  const late = pause(8000).then(() => {
    throw new Error("no answer within 8 s");
  });
  late.catch(() => {});
  return Promise.race([promise, late]);
}

const client = await (name.startsWith("ioredis")
  ? connectIoredis()
  : connectNodeRedis());
const maybe = new Map();
const errors = {};
const wrong = [];
let [done, number, longest, last, ended] = [0, 0, 0, 0, false];
process.stdin.on("end", () => (ended = true));
process.stdin.resume();
console.log("ready");
while (!ended) {
  const key = "k" + (++number % 300);
  const began = Date.now();
  try {
    const seen = Number((await answered(client.get(key))) || 0);
    const values = maybe.get(key) || [0];
    if (!values.includes(seen)) wrong.push(`${key}: ${seen}, not ${values}`);
    maybe.set(key, [...values, number]);
    await answered(client.set(key, number));
    maybe.set(key, [number]);
    done++;
  } catch (error) {
    errors[String(error)] = (errors[String(error)] || 0) + 1;
    await pause(20);
  }
  last = (Date.now() - began) / 1000;
  longest = Math.max(longest, last);
  if (number % 50 === 0) await pause(1); // So that the end is seen.
}
for (const [key, values] of maybe) {
  const seen = Number((await answered(client.get(key))) || 0);
  if (!values.includes(seen)) wrong.push(`${key}: ${seen} at the end`);
}
const said = { done, errors, wrong, longest, last };
process.stdout.write(JSON.stringify(said) + "\n", () => process.exit(0));
