/* fastify.mjs PORT TTL - A Fastify application with @fastify/session on
 * connect-redis and ioredis 5. An id is a cookie. */
import cookie from "@fastify/cookie";
import session from "@fastify/session";
import { RedisStore } from "connect-redis-8";
import Fastify from "fastify";
import { Redis } from "ioredis-5";

import { serve } from "./line.mjs";

await serve(async ({ port, ttl }) => {
  const app = Fastify();
  const client = new Redis({ host: "127.0.0.1", port });
  await app.register(cookie);
  await app.register(session, {
    secret: "of no importance, but thirty-two letters",
    store: new RedisStore({ client, ttl }),
    cookie: { secure: false, maxAge: ttl * 1000 },
    saveUninitialized: false,
  });
  app.post("/", async (request) => {
    const { op, value } = request.body;
    if (op === "create" || op === "change") {
      request.session.value = value;
    } else if (op === "regenerate") {
      const old = request.session.value;
      await request.session.regenerate();
      request.session.value = old;
    } else if (op === "destroy") {
      await request.session.destroy();
      return { value: null };
    } /* A touch is any request: the expiry rolls. */
    return { value: request.session.value ?? null };
  });
  async function step(op, id, value) {
    const headers = id ? { cookie: id } : {};
    const response = await app.inject({
      method: "POST",
      url: "/",
      headers,
      payload: { op, value },
    });
    if (response.statusCode !== 200) {
      throw new Error(`${response.statusCode}: ${response.body}`);
    }
    const cookies = [response.headers["set-cookie"] ?? []].flat();
    const pairs = cookies.map((text) => text.split(";")[0]);
    return { cookies: pairs.join("; "), value: response.json().value };
  }
  return {
    create: async (_, value) => (await step("create", null, value)).cookies,
    read: async (id) => (await step("read", id)).value,
    touch: async (id) => {
      await step("touch", id);
    },
    change: async (id, value) => {
      await step("change", id, value);
    },
    regenerate: async (id) => (await step("regenerate", id)).cookies,
    destroy: async (id) => {
      await step("destroy", id);
    },
  };
});
