/* connect_redis.mjs STORE DRIVER PORT TTL - connect-redis as express-session
 * calls it, on node-redis or ioredis; or connect-valkey on GLIDE.
 *
 * STORE: connect-redis-6 to -9, connect-valkey. DRIVER: redis-3 to -6,
 * ioredis-4 to -6, @valkey/valkey-glide. */
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";

import session from "express-session";

import { serve } from "./line.mjs";

const [store, driver] = process.argv.slice(2);

async function connect(port) {
  const module = await import(driver);
  if (driver.startsWith("@valkey")) {
    const addresses = [{ host: "127.0.0.1", port }];
    return module.GlideClient.createClient({ addresses, requestTimeout: 5000 });
  }
  if (driver.startsWith("ioredis")) {
    const Redis = module.Redis ?? module.default;
    return new Redis({ host: "127.0.0.1", port });
  }
  const client = module.createClient({ url: `redis://127.0.0.1:${port}` });
  client.on("error", () => {});
  await client.connect?.(); /* node-redis 3 does so by itself. */
  return client;
}

/* Each version is made in its own way. */
async function storeClass() {
  const module = await import(store);
  if (store === "connect-redis-6") {
    return module.default(session);
  }
  return (
    module.RedisStore ??
    module.ValkeyStore ??
    module.default.default ??
    module.default
  );
}

const Store = await storeClass();

await serve(async ({ port, ttl }) => {
  const client = await connect(port);
  const sessions = new Store({
    client,
    ttl,
    prefix: `sess:${store}:${driver}:`,
  });
  const call = (name) => promisify(sessions[name].bind(sessions));
  const record = (value) => ({ cookie: { originalMaxAge: null }, value });
  const self = {
    async create(_, value) {
      const id = randomBytes(16).toString("hex");
      await call("set")(id, record(value));
      return id;
    },
    read: async (id) => (await call("get")(id))?.value,
    touch: async (id) => {
      await call("touch")(id, record(null));
    },
    change: async (id, value) => {
      await call("set")(id, record(value));
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
