/* keyv.mjs PORT TTL - Keyv with @keyv/redis (node-redis 5), as cache-manager
 * uses it. */
import { randomBytes } from "node:crypto";

import KeyvRedis from "@keyv/redis";
import Keyv from "keyv";

import { serve } from "./line.mjs";

await serve(async ({ port, ttl }) => {
  const adapter = new KeyvRedis(`redis://127.0.0.1:${port}`);
  const keyv = new Keyv({ store: adapter, namespace: "keyv", ttl: ttl * 1000 });
  const errors = [];
  keyv.on("error", (error) => errors.push(error));
  const checked = async (promise) => {
    const result = await promise;
    if (errors.length > 0) throw errors.pop();
    return result;
  };
  const self = {
    async create(_, value) {
      const id = randomBytes(16).toString("hex");
      await checked(keyv.set(id, value));
      return id;
    },
    read: (id) => checked(keyv.get(id)),
    touch: async (id) => {
      await checked(keyv.set(id, await checked(keyv.get(id))));
    },
    change: async (id, value) => {
      await checked(keyv.set(id, value));
    },
    async regenerate(id) {
      const fresh = await self.create(null, await checked(keyv.get(id)));
      await checked(keyv.deleteMany([id]));
      return fresh;
    },
    destroy: async (id) => {
      await checked(keyv.delete(id));
    },
    async list() {
      const ids = [];
      for await (const [id] of keyv.iterator()) ids.push(id);
      return ids;
    },
    clear: async () => {
      await checked(keyv.clear());
    },
  };
  return self;
});
