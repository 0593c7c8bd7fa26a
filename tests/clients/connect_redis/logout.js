// logout.js - People who log out of two Express applications while a slow
// request of theirs is under way, with express-session, connect-redis and
// node-redis on a Holdfast node of its own:
//
//   node logout.js PORT PORT RESP-VERSION
//
// The slow request loaded the session before the logout and saves it after.
// That must store nothing, and neither express-session nor the application may
// notice. Prints a line of JSON. Everything unexpected counts as an error.

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
const PEOPLE = 20;
const result = { logouts: 0, errors: [] };

function failed(what) {
  result.errors.push(String(what));
}

// Slow requests wait here, by person, until their test lets them go on.
const slow = new Map();

async function startApplication(port) {
  const client = createClient({
    url: `redis://127.0.0.1:${port}`,
    RESP: version,
  });
  client.on("error", failed);
  await client.connect();
  const store = new RedisStore({ client }); // Its own prefix is "sess:".
  const app = express();
  app.use(
    session({ store, secret: "s", resave: false, saveUninitialized: false }),
  );
  app.get("/login/:who", (request, response) => {
    request.session.who = request.params.who;
    response.json(request.sessionID);
  });
  app.get("/slow/:who", async (request, response) => {
    const { entered, leave } = slow.get(request.params.who);
    entered.go();
    await leave.wait;
    request.session.cart = "full";
    response.json(request.session.who ?? null);
  });
  app.get("/idle/:who", async (request, response) => {
    const { entered, leave } = slow.get(request.params.who);
    entered.go();
    await leave.wait; // Changes nothing: the session is only touched.
    response.json(request.session.who ?? null);
  });
  app.get("/logout", (request, response, next) => {
    request.session.destroy((error) => {
      return error ? next(error) : response.json(1);
    });
  });
  app.get("/who", (request, response) => {
    response.json(request.session.who ?? null);
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

function gate() {
  let go;
  const wait = new Promise((resolve) => (go = resolve));
  return { go, wait };
}

function get(application, where, cookie) {
  const headers = cookie ? { cookie } : {};
  return new Promise((resolve, reject) => {
    const { port } = application;
    const host = "127.0.0.1";
    const options = { host, port, path: where, headers, agent: false };
    const request = http.get(options, (answer) => {
      let text = "";
      answer.on("data", (part) => (text += part));
      answer.on("end", () => resolve({ text, headers: answer.headers }));
    });
    request.setTimeout(10000, () => request.destroy(new Error("no answer")));
    request.on("error", reject);
  });
}

function expect(wanted, got, what) {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) {
    failed(`${what}: ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
  }
}

async function person(here, there, number) {
  const who = `p${number}`;
  const login = await get(here, `/login/${who}`);
  const cookie = login.headers["set-cookie"]?.[0].split(";")[0];
  const id = JSON.parse(login.text);
  expect(`"${who}"`, (await get(there, "/who", cookie)).text, "logged in");

  slow.set(who, { entered: gate(), leave: gate() });
  const kind = number % 2 === 0 ? "slow" : "idle";
  const late = get(here, `/${kind}/${who}`, cookie);
  await slow.get(who).entered.wait;
  expect("1", (await get(there, "/logout", cookie)).text, "logout");
  slow.get(who).leave.go();
  expect(`"${who}"`, (await late).text, "the late answer");

  for (const application of [here, there]) {
    expect("null", (await get(application, "/who", cookie)).text, "out");
    expect(0, await application.client.exists(`sess:${id}`), "stored");
  }
  const again = await get(there, `/login/${who}`, cookie);
  const renewed = again.headers["set-cookie"]?.[0].split(";")[0];
  expect(`"${who}"`, (await get(here, "/who", renewed)).text, "in again");
  result.logouts++;
}

async function main() {
  const [here, there] = await Promise.all(ports.map(startApplication));
  const people = Array.from({ length: PEOPLE }, (_, number) =>
    person(here, there, number),
  );
  await Promise.all(people);
  console.log(JSON.stringify(result));
  for (const application of [here, there]) {
    application.server.close();
    await application.client.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
