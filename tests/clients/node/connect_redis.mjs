/* connect_redis.mjs DRIVER PORT TTL - connect-redis as express-session calls
 * it, on node-redis or ioredis: redis-4, redis-5, redis-6, ioredis-5,
 * ioredis-6. */
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";

import { serve } from "./line.mjs";

const driver = process.argv[2];

async function connect(port) {
  const module = await import(driver);
  if (driver.startsWith("ioredis")) {
    return new module.Redis({ host: "127.0.0.1", port });
  }
  const client = module.createClient({ url: `redis://127.0.0.1:${port}` });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/* connect-redis 9 is for node-redis only. */
const { RedisStore } = await import(
  driver === "redis-5" || driver === "redis-6"
    ? "connect-redis-9"
    : "connect-redis-8"
);

await serve(async ({ port, ttl }) => {
  const client = await connect(port);
  const store = new RedisStore({ client, ttl, prefix: `sess:${driver}:` });
  const call = (name) => promisify(store[name].bind(store));
  const session = (value) => ({ cookie: { originalMaxAge: null }, value });
  const self = {
    async create(_, value) {
      const id = randomBytes(16).toString("hex");
      await call("set")(id, session(value));
      return id;
    },
    read: async (id) => (await call("get")(id))?.value,
    touch: async (id) => {
      await call("touch")(id, session(null));
    },
    change: async (id, value) => {
      await call("set")(id, session(value));
    },
    async regenerate(id) {
      const old = await call("get")(id);
      await call("destroy")(id);
      return self.create(null, old.value);
    },
    destroy: async (id) => {
      await call("destroy")(id);
    },
    list: async () => call("ids")(),
    length: async () => call("length")(),
    async clear() {
      await call("clear")();
    },
  };
  return self;
});
