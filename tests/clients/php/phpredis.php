<?php
/* phpredis.php plain|locking|lazy PORT TTL - PHP's own sessions with the save
 * handler of phpredis, with and without locks. */
require __DIR__ . '/line.php';

ini_set('session.save_handler', 'redis');
ini_set('session.save_path', "tcp://127.0.0.1:$port?timeout=5");
ini_set('session.gc_maxlifetime', (string) $ttl);
ini_set('session.use_cookies', '0');
ini_set('session.use_strict_mode', '1');
ini_set('session.cache_limiter', '');
ini_set('session.lazy_write', $argv[1] === 'lazy' ? '1' : '0');
ini_set('redis.session.locking_enabled', $argv[1] === 'locking' ? '1' : '0');
ini_set('redis.session.lock_wait_time', '10000');
ini_set('redis.session.lock_retries', '200');

/* What one request does with its session. */
function request(?string $id, callable $work)
{
    session_id($id ?? session_create_id());
    if ($id === null) {
        ini_set('session.use_strict_mode', '0');
    }
    if (!session_start()) {
        throw new RuntimeException('the session does not start');
    }
    try {
        return $work();
    } finally {
        if (session_status() === PHP_SESSION_ACTIVE) {
            session_write_close();
        }
        ini_set('session.use_strict_mode', '1');
        $_SESSION = [];
    }
}

serve([
    'create' => fn ($id, $value) => request(null, function () use ($value) {
        $_SESSION['value'] = $value;
        return session_id();
    }),
    'read' => fn ($id) => request($id, function () use ($id) {
        $value = $_SESSION['value'] ?? null;
        if (session_id() !== $id) {
            session_destroy(); /* Strict mode made a new one. */
        }
        return $value;
    }),
    'touch' => fn ($id) => request($id, fn () => null),
    'change' => fn ($id, $value) => request($id, function () use ($value) {
        $_SESSION['value'] = $value;
    }),
    'regenerate' => fn ($id) => request($id, function () {
        if (!session_regenerate_id(true)) {
            throw new RuntimeException('no new id');
        }
        return session_id();
    }),
    'destroy' => fn ($id) => request($id, function () {
        if (!session_destroy()) {
            throw new RuntimeException('not destroyed');
        }
    }),
]);
