// server.js - One application process: log in, fill a cart, log out.
//
// Everything it knows about a visitor is in the session, and the session is in
// Holdfast; so any process can answer any request, and one that cannot reach
// its node says 503 at once, which makes the front ask the next one.
//
// The settings come from the environment; README.md lists them.

import { RedisStore } from "connect-redis";
import express from "express";
import session from "express-session";
import { createClient } from "redis";

import { errorPage, homePage } from "./pages.js";

const port = Number(process.env.PORT ?? 8379);
const holdfastUrl = process.env.HOLDFAST_URL ?? "redis://127.0.0.1:7379";
const secret = process.env.SESSION_SECRET;
const appName = process.env.APP_NAME ?? `app-${port}`;
const nodeAddress = new URL(holdfastUrl).host;

if (!secret) {
  console.error("SESSION_SECRET must be set, to the same in every process.");
  process.exit(2);
}

// --- The session store -----------------------------------------------------

const client = createClient({
  url: holdfastUrl,
  // While the node is away, fail instead of queueing: there are other nodes.
  disableOfflineQueue: true,
  // A node that hangs keeps its connections: ask it, and do not wait for long.
  pingInterval: 500,
  socket: {
    connectTimeout: 1000,
    socketTimeout: 1500,
    reconnectStrategy: (retries) => Math.min(50 + retries * 50, 500),
  },
});
let lastError = "";
client.on("error", (error) => {
  const text = error.message || error.code || String(error);
  if (text !== lastError) {
    console.error(`${appName}: ${nodeAddress}: ${text}`);
    lastError = text;
  }
});
client.on("ready", () => {
  lastError = "";
  console.log(`${appName}: connected to ${nodeAddress}`);
});
// Not awaited: without its node, the process is up, and says 503.
client.connect().catch((error) => console.error(`${appName}: ${error}`));

class StoreError extends Error {}

const sessions = session({
  store: new RedisStore({ client, prefix: "shop:", ttl: 3600 }),
  secret,
  name: "shop.sid",
  resave: false,
  saveUninitialized: false,
  cookie: { httpOnly: true, sameSite: "lax" },
});

function withSession(req, res, next) {
  if (!client.isReady) {
    next(new StoreError("not connected"));
    return;
  }
  sessions(req, res, (error) =>
    next(error && new StoreError(error.message, { cause: error })),
  );
}

// Turns a method of the session that takes a callback into a promise.
function store(req, method) {
  return new Promise((resolve, reject) => {
    req.session[method]((error) =>
      error
        ? reject(new StoreError(error.message, { cause: error }))
        : resolve(),
    );
  });
}

// --- The pages -------------------------------------------------------------

const app = express();
app.disable("x-powered-by");
app.use((req, res, next) => {
  res.set("X-App", appName);
  res.set("X-Holdfast-Node", nodeAddress);
  res.set("Cache-Control", "no-store");
  next();
});

app.get("/health", (req, res) => {
  const ready = client.isReady;
  res.status(ready ? 200 : 503);
  res.json({ app: appName, node: nodeAddress, ready });
});

app.use(withSession);
app.use(express.urlencoded({ extended: false, limit: "8kb" }));

function whoami(req) {
  return {
    user: req.session.user ?? null,
    cart: req.session.cart ?? {},
    app: appName,
    node: nodeAddress,
  };
}

app.get("/", (req, res) => {
  res.send(homePage(whoami(req)));
});

app.get("/whoami", (req, res) => {
  res.json(whoami(req));
});

// A demo: every name is welcome, no password. A new session id at log-in, so
// that nobody can log in to an id that somebody else chose.
app.post("/login", async (req, res) => {
  const user = String(req.body?.user ?? "").trim();
  if (user === "" || user.length > 64) {
    res.status(400).send(errorPage("A name has 1 to 64 characters."));
    return;
  }
  await store(req, "regenerate");
  req.session.user = user;
  req.session.cart = {};
  await finish(req, res);
});

// Says how many, not how many more: the front may repeat a request.
app.post("/cart", async (req, res) => {
  const item = String(req.body?.item ?? "").trim();
  const quantity = Number(req.body?.quantity ?? 1);
  if (!req.session.user) {
    res.status(401).send(errorPage("Log in first."));
    return;
  }
  if (item === "" || item.length > 64 || item === "__proto__") {
    res.status(400).send(errorPage("An item has 1 to 64 characters."));
    return;
  }
  if (!Number.isInteger(quantity) || quantity < 0 || quantity > 999) {
    res.status(400).send(errorPage("A quantity is 0 to 999."));
    return;
  }
  if (quantity === 0) {
    delete req.session.cart[item];
  } else {
    req.session.cart[item] = quantity;
  }
  await finish(req, res);
});

app.post("/logout", async (req, res) => {
  await store(req, "destroy");
  res.clearCookie("shop.sid");
  res.redirect(303, "/");
});

// express-session saves after the handler is done and sends the page even if
// that fails. A page must not promise what is not stored: save first.
async function finish(req, res) {
  await store(req, "save");
  res.redirect(303, "/");
}

app.use((error, req, res, next) => {
  if (res.headersSent) {
    // The page is out, and what it says is stored. Only the new time to live
    // of the session is not; Express would cut the page off for that.
    console.error(`${appName}: ${error.message}`);
    return;
  }
  if (error instanceof StoreError) {
    res.status(503).set("Retry-After", "1");
    res.send(errorPage("The session store cannot be reached."));
    return;
  }
  if (error.status >= 400 && error.status < 500) {
    res.status(error.status).send(errorPage("That request makes no sense."));
    return;
  }
  console.error(`${appName}: ${error.stack}`);
  res.status(500).send(errorPage("Something is broken here."));
});

const server = app.listen(port, "127.0.0.1", (error) => {
  if (error) {
    console.error(`${appName}: port ${port}: ${error.message}`);
    process.exit(1);
  }
  console.log(`${appName}: http://127.0.0.1:${port}, node ${nodeAddress}`);
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    server.close(() => process.exit(0));
    server.closeAllConnections();
    client.destroy();
  });
}
