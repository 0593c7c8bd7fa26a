/* client_cache.mjs DRIVER PORT... - node-redis keeps what it reads, and drops
 * it when the node says so: nobody may read what another has changed. */
import assert from "node:assert/strict";

const [driver, ...ports] = process.argv.slice(2);
const module = await import(driver);

const clients = await Promise.all(
  ports.map((port) =>
    module
      .createClient({
        url: `redis://127.0.0.1:${port}`,
        RESP: 3,
        clientSideCache: { ttl: 0, maxEntries: 1000 },
      })
      .connect(),
  ),
);
const key = `kept:${driver}`;
for (let i = 0; i < 300; i++) {
  const writer = clients[i % clients.length];
  const readers = clients.filter((client) => client !== writer);
  await writer.set(key, `${i}`, { EX: 100 });
  for (const reader of readers) {
    assert.equal(await reader.get(key), `${i}`);
    assert.equal(await reader.get(key), `${i}`);
  }
}
await Promise.all(clients.map((client) => client.close()));
