<?php
/* line.php - Runs a store for tests/clients/run.py: one JSON object a line in,
 * one out. See there for what each operation means. */

/* $operations: name => function (id, value). */
function serve(array $operations): void
{
    set_error_handler(function ($level, $text, $file, $line) {
        if (error_reporting() & $level & ~(E_DEPRECATED | E_USER_DEPRECATED)) {
            throw new ErrorException($text, 0, $level, $file, $line);
        }
        return true;
    });
    /* PHP sessions may only begin before anything was printed. */
    ob_start();
    $say = function (array $answer): void {
        fwrite(STDOUT, json_encode($answer) . "\n");
        fflush(STDOUT);
    };
    $say(['ready' => true]);
    while (($line = fgets(STDIN)) !== false) {
        $step = json_decode($line, true);
        try {
            $operation = $operations[$step['op']];
            $result = $operation($step['id'] ?? null, $step['value'] ?? null);
            $say(['result' => $result]);
        } catch (Throwable $error) {
            $say(['error' => get_class($error) . ': ' . $error->getMessage()]);
        }
    }
}

[$port, $ttl] = array_map('intval', array_slice($argv, -2));
