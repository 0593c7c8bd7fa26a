// pages.js - The HTML.

const style = `
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem;
         margin: 2rem auto; padding: 0 1rem; }
  form { margin: 0.5rem 0; }
  footer { margin-top: 2rem; border-top: 1px solid #ccc; color: #555; }
  input { font: inherit; padding: 0.2rem; }
  button { font: inherit; padding: 0.2rem 0.8rem; }`;

function escape(text) {
  return String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function page(body) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Holdfast shop</title>
<style>${style}
</style>
</head>
<body>
<h1>Holdfast shop</h1>
${body}
</body>
</html>
`;
}

function cartList(cart) {
  const rows = Object.entries(cart).map(
    ([item, quantity]) => `<li>${escape(quantity)} × ${escape(item)}</li>`,
  );
  return rows.length ? `<ul>${rows.join("")}</ul>` : "<p>It is empty.</p>";
}

const loginForm = `
<p>You are not logged in.</p>
<form method="post" action="/login">
<label>Your name <input name="user" maxlength="64" required autofocus></label>
<button>Log in</button>
</form>`;

function account(user, cart) {
  return `
<p>You are logged in as <strong>${escape(user)}</strong>.</p>
<h2>Your cart</h2>
${cartList(cart)}
<form method="post" action="/cart">
<input name="quantity" type="number" min="0" max="999" value="1"
 aria-label="quantity">
<input name="item" maxlength="64" placeholder="apples" aria-label="item"
 required>
<button>Put into the cart</button>
</form>
<form method="post" action="/logout"><button>Log out</button></form>`;
}

// What whoami says, for people.
export function homePage({ user, cart, app, node }) {
  return page(`${user === null ? loginForm : account(user, cart)}
<footer>Answered by application process <strong>${escape(app)}</strong>,
session from Holdfast node <strong>${escape(node)}</strong>.
Reload to meet another one.</footer>`);
}

export function errorPage(text) {
  return page(`<p>${escape(text)}</p><p><a href="/">Back</a></p>`);
}
