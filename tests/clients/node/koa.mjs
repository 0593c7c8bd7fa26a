/* koa.mjs PORT TTL - A Koa application with koa-session and koa-redis (which
 * brings ioredis 4). An id is a cookie. */
import Koa from "koa";
import koaRedis from "koa-redis";
import { createSession } from "koa-session";

import { serve } from "./line.mjs";

await serve(async ({ port, ttl }) => {
  const app = new Koa();
  app.keys = ["of no importance"];
  const store = koaRedis({ host: "127.0.0.1", port });
  /* koa-redis lets a session live ten seconds longer than the cookie. */
  const options = { key: "sid", store, maxAge: ttl * 1000, rolling: false };
  app.use(createSession(options, app));
  app.use(async (context) => {
    const { op, value } = JSON.parse(
      decodeURIComponent(context.get("x-step")),
    );
    if (op === "create" || op === "change") {
      context.session.value = value;
    } else if (op === "touch") {
      context.session.touched = Date.now();
    } else if (op === "destroy") {
      context.session = null;
    }
    context.body = JSON.stringify(context.session?.value ?? null);
  });
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const url = `http://127.0.0.1:${server.address().port}/`;
  async function step(op, id, value) {
    const headers = {
      "x-step": encodeURIComponent(JSON.stringify({ op, value })),
    };
    if (id) headers.cookie = id;
    const response = await fetch(url, { headers });
    if (response.status !== 200) {
      throw new Error(`status ${response.status}`);
    }
    const cookies = response.headers
      .getSetCookie()
      .map((cookie) => cookie.split(";")[0])
      .join("; ");
    return { cookies, body: await response.json() };
  }
  return {
    create: async (_, value) => (await step("create", null, value)).cookies,
    read: async (id) => (await step("read", id)).body,
    touch: async (id) => {
      await step("touch", id);
    },
    change: async (id, value) => {
      await step("change", id, value);
    },
    destroy: async (id) => {
      await step("destroy", id);
    },
  };
});
