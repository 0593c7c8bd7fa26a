// story.js - The visitors of the demo: `node story.js COMMAND FRONT DIR [N]`.
//
//   login   logs N users in through the FRONT and fills their carts
//   check   asks for each of them: still logged in, and what is in the cart?
//   shop    users who change their carts all the time, until SIGTERM
//   sum     adds up what the others wrote to DIR
//
// FRONT is the URL of the front, DIR a folder to remember things in. Each user
// has a cookie jar, as a browser would. A request failed when a browser would
// show an error; a session is lost when its user is logged out or the cart is
// not what was put in. Ends with 1 if there was either.

import fs from "node:fs";
import http from "node:http";
import path from "node:path";

const [command, front, dir, countText] = process.argv.slice(2);
const AT_ONCE = 4;
const SHOPPERS = 4;
const PATIENCE_MS = 10000; // Nobody waits longer for a page.
const COMPLAINTS_MAX = 10; // The others are only counted.

const tally = { requests: 0, failed: 0, lost: 0, slowest_ms: 0 };
const answeredBy = new Map();

// --- One browser -------------------------------------------------------------

function send(method, url, cookie, form) {
  const body = form ? new URLSearchParams(form).toString() : "";
  const headers = { Connection: "close", "Content-Length": body.length };
  if (cookie) {
    headers.Cookie = cookie;
  }
  if (form) {
    headers["Content-Type"] = "application/x-www-form-urlencoded";
  }
  return new Promise((resolve, reject) => {
    const options = { method, headers, agent: false };
    const request = http.request(url, options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part) => (text += part));
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode: status, headers: got } = response;
        resolve({ status, text, headers: got });
      });
    });
    request.setTimeout(PATIENCE_MS, () =>
      request.destroy(new Error(`no answer in ${PATIENCE_MS} ms`)),
    );
    request.on("error", reject);
    request.end(body);
  });
}

let complaints = 0;
function complain(user, what) {
  if (++complaints <= COMPLAINTS_MAX) {
    console.log(`      ${user.name}: ${what}`);
  }
}

// The answer, or null if a visitor would have seen an error.
async function visit(user, method, page, form) {
  const start = performance.now();
  let answer = null;
  let trouble = "";
  tally.requests++;
  try {
    answer = await send(method, new URL(page, front), user.cookie, form);
    if (answer.status >= 400) {
      trouble = `status ${answer.status}`;
    }
  } catch (error) {
    trouble = error.message;
  }
  tally.slowest_ms = Math.max(tally.slowest_ms, performance.now() - start);
  if (trouble !== "") {
    tally.failed++;
    complain(user, `${method} ${page} failed: ${trouble}`);
    return null;
  }
  const app = answer.headers["x-app"];
  answeredBy.set(app, (answeredBy.get(app) ?? 0) + 1);
  const [cookie] = answer.headers["set-cookie"] ?? [];
  if (cookie) {
    user.cookie = cookie.split(";")[0];
  }
  return answer;
}

async function logIn(user) {
  await visit(user, "POST", "/login", { user: user.name });
  user.cart = {};
}

async function fillCart(user, item, quantity) {
  if (!(await visit(user, "POST", "/cart", { item, quantity }))) {
    user.cart = null; // Stored or not, who knows. The failure was counted.
  } else if (user.cart !== null) {
    user.cart[item] = quantity;
  }
}

async function isStillThere(user) {
  const answer = await visit(user, "GET", "/whoami");
  if (answer === null) {
    return false;
  }
  const seen = JSON.parse(answer.text);
  if (seen.user !== user.name) {
    tally.lost++;
    complain(user, `logged out (${seen.app}, ${seen.node})`);
    return false;
  }
  user.cart ??= seen.cart;
  if (sorted(seen.cart) !== sorted(user.cart)) {
    tally.lost++;
    complain(user, `cart ${sorted(seen.cart)}, not ${sorted(user.cart)}`);
    user.cart = seen.cart; // Counted once.
    return false;
  }
  return true;
}

function sorted(cart) {
  return JSON.stringify(Object.entries(cart).sort());
}

// --- The commands ------------------------------------------------------------

const usersFile = path.join(dir ?? "", "users.json");

// Calls @visitOf for each user, a few at a time; counts who it was true for.
async function forEach(users, visitOf) {
  const waiting = [...users];
  let count = 0;
  async function next() {
    for (let user = waiting.shift(); user; user = waiting.shift()) {
      const good = await visitOf(user);
      count += good ? 1 : 0;
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return count;
}

async function login() {
  const users = Array.from({ length: Number(countText) }, (_, i) => ({
    name: `user${i + 1}`,
    cookie: "",
  }));
  const items = ["apples", "lamps", "socks", "kettles"];
  const count = await forEach(users, async (user) => {
    const number = users.indexOf(user);
    await logIn(user);
    await fillCart(user, items[number % items.length], 1 + (number % 9));
    return isStillThere(user);
  });
  fs.writeFileSync(usersFile, JSON.stringify(users));
  report(`${count} of ${users.length} users logged in, carts filled`);
}

async function check() {
  const users = JSON.parse(fs.readFileSync(usersFile, "utf8"));
  const count = await forEach(users, isStillThere);
  report(`${count} of ${users.length} users still logged in, carts intact`);
}

async function shop() {
  let open = true;
  process.once("SIGTERM", () => (open = false));
  async function shopper(number) {
    const user = { name: `shopper${number}`, cookie: "" };
    await logIn(user);
    for (let i = 1; open; i++) {
      await fillCart(user, `thing${i % 5}`, i % 900 || 1);
      if (!(await isStillThere(user)) && open) {
        await logIn(user);
      }
    }
  }
  await Promise.all(Array.from({ length: SHOPPERS }, (_, i) => shopper(i + 1)));
  report(`${SHOPPERS} shoppers kept changing their carts all the time`);
}

function sum() {
  const total = { requests: 0, failed: 0, lost: 0, slowest_ms: 0 };
  for (const file of fs.readdirSync(dir)) {
    if (file.startsWith("tally-")) {
      const part = JSON.parse(fs.readFileSync(path.join(dir, file), "utf8"));
      total.requests += part.requests;
      total.failed += part.failed;
      total.lost += part.lost;
      total.slowest_ms = Math.max(total.slowest_ms, part.slowest_ms);
    }
  }
  const users = JSON.parse(fs.readFileSync(usersFile, "utf8")).length;
  console.log(`  users            ${users}, and ${SHOPPERS} shoppers`);
  console.log(`  requests         ${total.requests}`);
  console.log(`  failed requests  ${total.failed}`);
  console.log(`  lost sessions    ${total.lost}`);
  console.log(`  slowest request  ${Math.round(total.slowest_ms)} ms`);
  Object.assign(tally, total);
}

function report(text) {
  const apps = [...answeredBy].sort().map(([app, count]) => `${app} ${count}`);
  const slowest = Math.round(tally.slowest_ms);
  console.log(`    ${text}`);
  console.log(
    `    ${tally.requests} requests, ${tally.failed} failed, ` +
      `slowest ${slowest} ms; answered by: ${apps.join(", ")}`,
  );
  const file = `tally-${process.pid}.json`;
  fs.writeFileSync(path.join(dir, file), JSON.stringify(tally));
}

const commands = { login, check, shop, sum };
if (!Object.hasOwn(commands, command ?? "") || !dir) {
  console.error("usage: node story.js login|check|shop|sum FRONT DIR [USERS]");
  process.exit(2);
}
await commands[command]();
process.exitCode = tally.failed + tally.lost > 0 ? 1 : 0;
