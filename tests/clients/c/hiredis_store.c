/* hiredis_store.c PORT TTL - A session store in C over hiredis, as a program
 * would write it. Speaks the lines of tests/clients/run.py with tabs instead of
 * JSON: operation, id, value in; "result" or "error" and a text out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#define LINE_BYTES_MAX 65536

static redisContext *context;
static const char *ttl;
static unsigned created;

static void say(const char *kind, const char *text)
{
    printf("%s\t%s\n", kind, text);
    fflush(stdout);
}

/* Takes @reply over. Says @text, or the value that came, or the error. */
static void finish(redisReply *reply, const char *text)
{
    if (reply == NULL) {
        say("error", context->errstr);
        exit(1); /* A context with an error is of no more use. */
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        say("error", reply->str);
    } else if (text != NULL) {
        say("result", text);
    } else {
        say("result", reply->type == REDIS_REPLY_STRING ? reply->str : "");
    }
    freeReplyObject(reply);
}

static void create(const char *value)
{
    char id[64];
    snprintf(id, sizeof(id), "%d-%u", (int)getpid(), created++);
    finish(redisCommand(context, "SET sess:%s %s EX %s NX", id, value, ttl),
           id);
}

static void run(const char *operation, const char *id, const char *value)
{
    if (strcmp(operation, "create") == 0) {
        create(value);
    } else if (strcmp(operation, "read") == 0) {
        finish(redisCommand(context, "GET sess:%s", id), NULL);
    } else if (strcmp(operation, "touch") == 0) {
        finish(redisCommand(context, "EXPIRE sess:%s %s", id, ttl), "");
    } else if (strcmp(operation, "change") == 0) {
        finish(redisCommand(context, "SET sess:%s %s EX %s", id, value, ttl),
               "");
    } else if (strcmp(operation, "destroy") == 0) {
        finish(redisCommand(context, "DEL sess:%s", id), "");
    } else {
        say("error", "no such operation");
    }
}

int main(int argc, char **argv)
{
    static char line[LINE_BYTES_MAX];
    if (argc != 3) {
        fprintf(stderr, "usage: hiredis_store PORT TTL\n");
        return 2;
    }
    ttl = argv[2];
    context = redisConnect("127.0.0.1", (int)strtol(argv[1], NULL, 10));
    if (context == NULL || context->err != 0) {
        fprintf(stderr, "hiredis_store: cannot connect to port %s\n", argv[1]);
        return 1;
    }
    say("ready", "");
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *id = strchr(line, '\t');
        char *value = id == NULL ? NULL : strchr(id + 1, '\t');
        if (value == NULL) {
            say("error", "a line has three parts");
            continue;
        }
        *id++ = '\0';
        *value++ = '\0';
        run(line, id, value);
    }
    redisFree(context);
    return 0;
}
