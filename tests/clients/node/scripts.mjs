/* scripts.mjs DRIVER PORT... - Scripts as ioredis and node-redis send them:
 * EVALSHA of a sum that the driver has computed, EVAL when the node says
 * NOSCRIPT. Each script is sent at another node first. */
import assert from "node:assert/strict";

const UNLOCK = `
if redis.call("get", KEYS[1]) == ARGV[1] then
  return redis.call("del", KEYS[1])
end
return 0`;

const [driver, ...ports] = process.argv.slice(2);
const module = await import(driver);

async function open(port) {
  if (driver.startsWith("ioredis")) {
    const client = new module.Redis({ host: "127.0.0.1", port });
    client.defineCommand("unlock", { numberOfKeys: 1, lua: UNLOCK });
    return {
      unlock: (key, owner) => client.unlock(key, owner),
      set: (key, value) => client.set(key, value, "PX", 100000, "NX"),
      load: (text) => client.script("LOAD", text),
      evalsha: (sha, key) => client.evalsha(sha, 1, key),
      several: (key) =>
        client.multi().set(key, "me").unlock(key, "me").get(key).exec(),
      close: () => client.quit(),
    };
  }
  const client = module.createClient({
    url: `redis://127.0.0.1:${port}`,
    scripts: {
      unlock: module.defineScript({
        NUMBER_OF_KEYS: 1,
        SCRIPT: UNLOCK,
        ...(driver === "redis-4"
          ? { transformArguments: (key, owner) => [key, owner] }
          : {
              parseCommand(parser, key, owner) {
                parser.pushKey(key);
                parser.push(owner);
              },
            }),
        transformReply: (reply) => reply,
      }),
    },
  });
  await client.connect();
  return {
    unlock: (key, owner) => client.unlock(key, owner),
    set: (key, value) => client.set(key, value, { PX: 100000, NX: true }),
    load: (text) => client.scriptLoad(text),
    evalsha: (sha, key) => client.evalSha(sha, { keys: [key] }),
    several: (key) =>
      client.multi().set(key, "me").unlock(key, "me").get(key).exec(),
    close: () => (client.close ? client.close() : client.quit()),
  };
}

const clients = await Promise.all(ports.map(open));
for (const [i, client] of clients.entries()) {
  const key = `lock:${driver}:${i}`;
  const next = clients[(i + 1) % clients.length];
  assert.equal(await client.set(key, "me"), "OK");
  assert.equal(await next.set(key, "you"), null);
  assert.equal(await next.unlock(key, "you"), 0);
  assert.equal(await client.unlock(key, "me"), 1);
  assert.equal(await next.unlock(key, "me"), 0);
}
const sha = await clients[0].load("return KEYS[1]");
for (const client of clients) {
  assert.equal(await client.evalsha(sha, "k"), "k");
  await assert.rejects(client.evalsha("0".repeat(40), "k"), /NOSCRIPT/);
}
const said = await clients[1].several(`tx:${driver}`);
const plain = said.map((each) => (Array.isArray(each) ? each[1] : each));
assert.deepEqual(plain, ["OK", 1, null]);
await Promise.all(clients.map((client) => client.close()));
