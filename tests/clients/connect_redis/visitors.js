// visitors.js - Visitors of two Express applications with express-session,
// connect-redis and node-redis on a Holdfast node of its own:
//
//   node visitors.js PORT PORT RESP-VERSION
//
// Every visitor counts in a session, each time at the other application. The
// answer must be one more than the last. Prints "ready" after a while, goes on
// until its standard input ends, then tries the rest of the store's methods
// and prints a line of JSON. Everything unexpected counts as an error.

const http = require("node:http");
const path = require("node:path");
const { createRequire } = require("node:module");

const demo = path.join(__dirname, "../../../deploy/express-demo/package.json");
const needs = createRequire(demo);
const express = needs("express");
const session = needs("express-session");
const { RedisStore } = needs("connect-redis");
const { createClient } = needs("redis");

const [ports, version] = [process.argv.slice(2, 4), Number(process.argv[4])];
const VISITORS = 8;
const result = { requests: 0, slowest_ms: 0, errors: [] };

function failed(what) {
  if (result.errors.length < 20) {
    result.errors.push(String(what));
  }
}

async function startApplication(port) {
  const client = createClient({
    url: `redis://127.0.0.1:${port}`,
    RESP: version,
  });
  client.on("error", failed);
  await client.connect();
  const store = new RedisStore({ client, prefix: "visit:", ttl: 600 });
  const app = express();
  app.use(
    session({ store, secret: "s", resave: false, saveUninitialized: false }),
  );
  app.get("/", (request, response) => {
    request.session.count = (request.session.count ?? 0) + 1;
    response.json(request.session.count);
  });
  app.use((error, request, response, next) => {
    failed(error);
    response.status(500).json(String(error));
    next();
  });
  const server = app.listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  return { client, store, server, port: server.address().port };
}

function get(port, cookie) {
  const headers = cookie ? { cookie } : {};
  return new Promise((resolve, reject) => {
    const options = { port, host: "127.0.0.1", headers, agent: false };
    const request = http.get(options, (response) => {
      let text = "";
      response.on("data", (part) => (text += part));
      response.on("end", () => resolve({ text, headers: response.headers }));
    });
    request.setTimeout(10000, () => request.destroy(new Error("no answer")));
    request.on("error", reject);
  });
}

let open = true;
process.stdin.on("end", () => (open = false)).resume();

async function visitor(applications, atReady) {
  let cookie = "";
  for (let count = 1; open; count++) {
    const start = performance.now();
    const answer = await get(applications[count % 2].port, cookie);
    const took = performance.now() - start;
    result.slowest_ms = Math.max(result.slowest_ms, Math.round(took));
    result.requests++;
    cookie ||= answer.headers["set-cookie"]?.[0].split(";")[0];
    if (answer.text !== String(count)) {
      failed(`${answer.text} instead of ${count}`);
      return;
    }
    if (count === 50) {
      atReady();
    }
  }
}

async function expect(wanted, promise, what) {
  const got = JSON.stringify(await promise);
  if (got !== JSON.stringify(wanted)) {
    failed(`${what}: ${got}, not ${JSON.stringify(wanted)}`);
  }
}

// What express-session and applications may ask of a store.
async function tryMethods(here, there) {
  const value = { cookie: { maxAge: 60000 }, user: "ann" };
  await expect(VISITORS, there.length(), "length");
  await here.set("method", value);
  await expect(value, there.get("method"), "get");
  await here.touch("method", value);
  await expect(VISITORS + 1, there.length(), "length");
  const names = await there.ids();
  await expect(true, names.includes("method"), "ids");
  await expect(VISITORS + 1, (await there.all()).length, "all");
  await there.destroy("method");
  await expect(undefined, (await here.get("method")) ?? undefined, "get");
  await here.clear();
  await expect(0, there.length(), "length");
}

async function main() {
  const applications = await Promise.all(ports.map(startApplication));
  let ready = 0;
  const atReady = () => ++ready === VISITORS && console.log("ready");
  const visits = Array.from({ length: VISITORS }, () =>
    visitor(applications, atReady),
  );
  await Promise.all(visits);
  await tryMethods(applications[0].store, applications[1].store);
  console.log(JSON.stringify(result));
  for (const application of applications) {
    application.server.close();
    await application.client.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
