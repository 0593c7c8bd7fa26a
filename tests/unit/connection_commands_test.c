/* connection_commands_test.c - What a connection answers by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "support/wire_client.h"

/* Each on a connection of its own, which stays open. */
static void assert_exchanges(const struct exchange *exchanges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct client c;
        client_open(&c);
        client_send(&c, exchanges[i].sent);
        client_expect(&c, exchanges[i].expected);
        assert_false(c.connection.closing);
        assert_false(c.connection.broken);
        client_close(&c);
    }
}

#define ASSERT_EXCHANGES(exchanges)                                            \
    assert_exchanges(exchanges, HF_ARRAY_COUNT(exchanges))

#define SYNTAX "-ERR syntax error\r\n"
#define ARITY(name) "-ERR wrong number of arguments for '" name "' command\r\n"
#define WRONGPASS                                                              \
    "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
#define BAD_NAME                                                               \
    "-ERR Client names cannot contain spaces, newlines or special "            \
    "characters.\r\n"
#define NO_PASSWORD                                                            \
    "-ERR AUTH <password> called without any password configured for the "     \
    "default user. Are you sure your configuration is correct?\r\n"
#define HELLO2                                                                 \
    "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n"   \
    "$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:42\r\n$4\r\nmode\r\n$10\r\n"            \
    "standalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
#define HELLO3                                                                 \
    "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n"    \
    "$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:42\r\n$4\r\nmode\r\n$10\r\n"            \
    "standalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"

static void answers_what_test_suites_say_in_passing(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"READONLY\r\n", "+OK\r\n"},
        {"READWRITE\r\n", "+OK\r\n"},
        {"ASKING\r\n", "+OK\r\n"},
        {"ASKING x\r\n", ARITY("asking")},
        {"FUNCTION FLUSH\r\n", "+OK\r\n"},
        {"CONFIG GET nosuch\r\n", "*0\r\n"},
        {"CONFIG GET TIME* nosuch\r\n", "*2\r\n$7\r\ntimeout\r\n$1\r\n0\r\n"},
        {"CONFIG SET timeout 0\r\n", "+OK\r\n"},
        {"CONFIG SET timeout 1\r\n",
         "-ERR CONFIG SET failed (possibly related to argument 'timeout') - "
         "can't set immutable config\r\n"},
        {"OBJECT nope k\r\n",
         "-ERR unknown subcommand 'nope'. Try OBJECT HELP.\r\n"},
        {"OBJECT encoding\r\n", ARITY("object|encoding")},
        {"MEMORY\r\n", ARITY("memory")},
    };
    ASSERT_EXCHANGES(exchanges);
}

static void answers_the_small_commands_by_itself(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"PING\r\n", "+PONG\r\n"},
        {"ping hi\r\n", "$2\r\nhi\r\n"},
        {"PING a b\r\n", ARITY("ping")},
        {"ECHO hi\r\n", "$2\r\nhi\r\n"},
        {"ECHO\r\n", ARITY("echo")},
        {"RESET\r\n", "+RESET\r\n"},
        {"RESET x\r\n", ARITY("reset")},
        {"SELECT 0\r\n", "+OK\r\n"},
        {"SELECT 15\r\n", "+OK\r\n"},
        {"SELECT 16\r\n", "-ERR DB index is out of range\r\n"},
        {"SELECT -1\r\n", "-ERR DB index is out of range\r\n"},
        {"SELECT 99999999999\r\n",
         "-ERR value is out of range, value must between -2147483648 and "
         "2147483647\r\n"},
        {"SELECT a\r\n", "-ERR value is not an integer or out of range\r\n"},
        {"\r\n*0\r\n*-1\r\n  \r\n", ""},
    };
    ASSERT_EXCHANGES(exchanges);
}

static void answers_auth_without_having_passwords(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"AUTH\r\n", ARITY("auth")},       {"AUTH a\r\n", NO_PASSWORD},
        {"AUTH default x\r\n", "+OK\r\n"}, {"AUTH Default x\r\n", WRONGPASS},
        {"AUTH a b c\r\n", SYNTAX},
    };
    ASSERT_EXCHANGES(exchanges);
}

static void greets_in_the_version_asked_for(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"HELLO\r\n", HELLO2},
        {"HELLO 2\r\n", HELLO2},
        {"HELLO 3\r\n", HELLO3},
        {"HELLO 3\r\nHELLO\r\nHELLO 2\r\n", HELLO3 HELLO3 HELLO2},
        {"HELLO 3\r\nRESET\r\nHELLO\r\n", HELLO3 "+RESET\r\n" HELLO2},
        {"HELLO 3 auth default x setname me\r\nCLIENT GETNAME\r\n",
         HELLO3 "$2\r\nme\r\n"},
        {"HELLO 1\r\n", "-NOPROTO unsupported protocol version\r\n"},
        {"HELLO 4\r\n", "-NOPROTO unsupported protocol version\r\n"},
        {"HELLO 03\r\n", "-ERR Protocol version is not an integer or out of "
                         "range\r\n"},
        {"HELLO SETNAME x\r\n", "-ERR Protocol version is not an integer or "
                                "out of range\r\n"},
        {"HELLO 3 FOO\r\n", "-ERR Syntax error in HELLO option 'FOO'\r\n"},
        {"HELLO 3 AUTH default\r\n",
         "-ERR Syntax error in HELLO option 'AUTH'\r\n"},
        {"HELLO 3 SETNAME\r\n",
         "-ERR Syntax error in HELLO option 'SETNAME'\r\n"},
        {"HELLO 3 AUTH bad x\r\n", WRONGPASS},
        {"HELLO 3 SETNAME \"a b\"\r\n", BAD_NAME},
    };
    ASSERT_EXCHANGES(exchanges);
}

static void changes_nothing_by_a_hello_it_refuses(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"HELLO 3 SETNAME me FOO\r\nCLIENT GETNAME\r\n",
         "-ERR Syntax error in HELLO option 'FOO'\r\n$-1\r\n"},
        {"HELLO 3 SETNAME me AUTH bad x\r\nCLIENT GETNAME\r\n",
         WRONGPASS "$-1\r\n"},
    };
    ASSERT_EXCHANGES(exchanges);
}

static void knows_its_client(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"CLIENT\r\n", ARITY("client")},
        {"CLIENT ID\r\n", ":42\r\n"},
        {"CLIENT ID x\r\n", ARITY("client|id")},
        {"client setname\r\n", ARITY("client|setname")},
        {"CLIENT GETNAME\r\nCLIENT SETNAME me\r\nCLIENT GETNAME\r\n"
         "CLIENT SETNAME \"\"\r\nCLIENT GETNAME\r\n",
         "$-1\r\n+OK\r\n$2\r\nme\r\n+OK\r\n$-1\r\n"},
        {"CLIENT SETNAME me\r\nRESET\r\nCLIENT GETNAME\r\n",
         "+OK\r\n+RESET\r\n$-1\r\n"},
        {"CLIENT SETNAME \"a b\"\r\n", BAD_NAME},
        {"CLIENT SETNAME \"a\\n\"\r\n", BAD_NAME},
        {"CLIENT SETINFO lib-name x\r\nCLIENT SETINFO LIB-VER 1.2\r\n",
         "+OK\r\n+OK\r\n"},
        {"CLIENT SETINFO lib-name\r\n", ARITY("client|setinfo")},
        {"CLIENT SETINFO foo x\r\n", "-ERR Unrecognized option 'foo'\r\n"},
        {"CLIENT SETINFO lib-ver \"a b\"\r\n",
         "-ERR lib-ver cannot contain spaces, newlines or special "
         "characters.\r\n"},
        {"CLIENT NO-EVICT on\r\nCLIENT NO-TOUCH OFF\r\n", "+OK\r\n+OK\r\n"},
        {"CLIENT NO-EVICT maybe\r\n", SYNTAX},
        {"CLIENT REPLY on\r\n", "+OK\r\n"},
        {"CLIENT REPLY FOO\r\n", SYNTAX},
        {"CLIENT KILL 1.2.3.4:5\r\n", "-ERR No such client\r\n"},
        {"CLIENT KILL ID 6\r\n", ":0\r\n"},
        {"CLIENT KILL ID 7\r\n", ":1\r\n"},
        {"CLIENT KILL ID 42\r\n", ":0\r\n"}, /* Itself. */
        {"CLIENT KILL TYPE replica SKIPME no\r\nPING\r\n", ":0\r\n+PONG\r\n"},
        {"CLIENT KILL ID 0\r\nCLIENT KILL ID x\r\n",
         "-ERR client-id should be greater than 0\r\n"
         "-ERR client-id should be greater than 0\r\n"},
        {"CLIENT KILL TYPE x\r\nCLIENT KILL USER x\r\n",
         "-ERR Unknown client type 'x'\r\n-ERR No such user 'x'\r\n"},
        {"CLIENT KILL SKIPME x\r\nCLIENT KILL FOO x\r\n", SYNTAX SYNTAX},
        {"CLIENT KILL ID 7 ADDR\r\n", SYNTAX},
        {"CLIENT NOSUCH on\r\n",
         "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.\r\n"},
        {"CLIENT CAPA redirect\r\n", "+OK\r\n"},
    };
    ASSERT_EXCHANGES(exchanges);
}

/* It gets its answer first, and none to what it sent behind that. */
static void closes_itself(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"CLIENT KILL ID 42 SKIPME no\r\nPING\r\n", ":1\r\n"},
        {"CLIENT KILL 127.0.0.1:5000\r\nPING\r\n", "+OK\r\n"},
        {"CLIENT REPLY OFF\r\nQUIT\r\nPING\r\n", ""},
    };
    for (size_t i = 0; i < HF_ARRAY_COUNT(exchanges); i++) {
        struct client c;
        client_open(&c);
        client_send(&c, exchanges[i].sent);
        client_expect(&c, exchanges[i].expected);
        assert_true(hf_connection_is_done(&c.connection));
        client_close(&c);
    }
}

static void answers_no_more_than_was_asked_for(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"CLIENT REPLY OFF\r\nPING\r\nNOSUCH\r\nGET\r\n"
         "CLIENT REPLY SKIP\r\nPING\r\nCLIENT REPLY ON\r\nPING\r\n",
         "+OK\r\n+PONG\r\n"},
        {"CLIENT REPLY SKIP\r\nCLIENT ID\r\nPING\r\n", "+PONG\r\n"},
        {"CLIENT REPLY SKIP\r\nNOSUCH\r\nPING\r\n", "+PONG\r\n"},
        {"CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nPING\r\nPING a\r\n",
         "$1\r\na\r\n"},
        {"CLIENT REPLY OFF\r\nRESET\r\nPING\r\n", "+RESET\r\n+PONG\r\n"},
        {"MULTI\r\nCLIENT REPLY OFF\r\nEXEC\r\nPING\r\n",
         "+OK\r\n+QUEUED\r\n*1\r\n"
         "-ERR Command not allowed inside a transaction\r\n+PONG\r\n"},
    };
    ASSERT_EXCHANGES(exchanges);
}

/* Answers of the node come later than those of the connection. */
static void keeps_silent_about_what_comes_later(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "GET a\r\nCLIENT REPLY SKIP\r\nGET b\r\nGET c\r\n");
    client_expect(&c, "");
    client_answer(&c, 1, "v");
    client_answer(&c, 2, "v");
    client_expect(&c, "");
    client_answer(&c, 0, "v");
    client_expect(&c, "$1\r\nv\r\n$1\r\nv\r\n");
    client_close(&c);
}

#define CACHING(text) "-ERR CLIENT CACHING " text "\r\n"
#define NOT_TRACKING                                                           \
    CACHING("can be called only when the client is in tracking mode with "     \
            "OPTIN or OPTOUT mode enabled")
#define TRACKING_INFO(flags, redirect)                                         \
    "%3\r\n$5\r\nflags\r\n" flags "$8\r\nredirect\r\n" redirect "$8\r\n"       \
    "prefixes\r\n*0\r\n"

static void knows_who_keeps_answers(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"CLIENT CACHING YES\r\n", NOT_TRACKING},
        {"CLIENT TRACKING ON\r\nCLIENT CACHING YES\r\n",
         "+OK\r\n" NOT_TRACKING},
        {"CLIENT TRACKING ON OPTIN\r\nCLIENT CACHING NO\r\n"
         "CLIENT CACHING YES\r\nCLIENT CACHING x\r\n",
         "+OK\r\n" CACHING(
             "NO is only valid when tracking is enabled in OPTOUT "
             "mode.") "+OK\r\n" SYNTAX},
        {"CLIENT TRACKING ON OPTOUT\r\nCLIENT CACHING YES\r\n"
         "CLIENT CACHING NO\r\n",
         "+OK\r\n" CACHING("YES is only valid when tracking is enabled in "
                           "OPTIN mode.") "+OK\r\n"},
        {"CLIENT TRACKING ON OPTIN OPTOUT\r\n",
         "-ERR You can't specify both OPTIN mode and OPTOUT mode\r\n"},
        {"CLIENT TRACKING ON OPTIN\r\nCLIENT TRACKING ON OPTOUT\r\n",
         "+OK\r\n-ERR You can't switch OPTIN/OPTOUT mode before disabling "
         "tracking for this client, and then re-enabling it with a different "
         "mode.\r\n"},
        {"CLIENT TRACKING ON BCAST\r\n",
         "-ERR this server tells clients to forget only what they asked for, "
         "on their own connection: without BCAST, PREFIX and REDIRECT\r\n"},
        {"CLIENT TRACKING maybe\r\nCLIENT TRACKING ON FOO\r\n", SYNTAX SYNTAX},
        {"CLIENT GETREDIR\r\nCLIENT TRACKING ON\r\nCLIENT GETREDIR\r\n"
         "CLIENT TRACKING OFF\r\nCLIENT GETREDIR\r\n",
         ":-1\r\n+OK\r\n:0\r\n+OK\r\n:-1\r\n"},
        {"HELLO 3\r\nCLIENT TRACKINGINFO\r\n",
         HELLO3 TRACKING_INFO("~1\r\n$3\r\noff\r\n", ":-1\r\n")},
        {"HELLO 3\r\nCLIENT TRACKING ON OPTIN NOLOOP\r\n"
         "CLIENT CACHING YES\r\nCLIENT TRACKINGINFO\r\n",
         HELLO3 "+OK\r\n+OK\r\n" TRACKING_INFO(
             "~4\r\n$2\r\non\r\n$5\r\noptin\r\n$11\r\ncaching-yes\r\n"
             "$6\r\nnoloop\r\n",
             ":0\r\n")},
        {"CLIENT TRACKING ON\r\nRESET\r\nCLIENT GETREDIR\r\n",
         "+OK\r\n+RESET\r\n:-1\r\n"},
    };
    ASSERT_EXCHANGES(exchanges);
}

#define FORGET "$10\r\ninvalidate\r\n"
#define FORGET_K ">2\r\n" FORGET "*1\r\n$1\r\nk\r\n"

/* Behind each answer that a client may keep it is told to forget it. */
static void tells_to_forget_what_was_read(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "HELLO 3\r\nCLIENT TRACKING ON\r\n");
    client_expect(&c, HELLO3 "+OK\r\n");
    client_send(&c, "GET k\r\nPING\r\nSET k v\r\nMGET a b\r\nGET\r\n");
    client_expect(&c, "");
    for (size_t i = 3; i > 0; i--) {
        client_answer(&c, i - 1, "v");
    }
    client_expect(&c, "$1\r\nv\r\n" FORGET_K "+PONG\r\n$1\r\nv\r\n"
                      "$1\r\nv\r\n>2\r\n" FORGET
                      "*2\r\n$1\r\na\r\n$1\r\nb\r\n" ARITY("get"));
    client_close(&c);
}

/* Each takes two places in the order of answers, and the last one the place
 * behind the last. */
static void tells_to_forget_more_than_may_wait(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "HELLO 3\r\nCLIENT TRACKING ON\r\n");
    client_expect(&c, HELLO3 "+OK\r\n");
    client_send(&c, "GET k\r\nPING\r\n");
    for (size_t i = 0; i < HF_CONNECTION_PENDING_MAX; i++) {
        client_send(&c, "GET k\r\n");
    }
    const size_t count = HF_CONNECTION_PENDING_MAX / 2;
    assert_int_equal(c.count, count);
    for (size_t i = count; i > 1; i--) {
        client_answer(&c, i - 1, "v");
    }
    client_expect(&c, "");
    client_answer(&c, 0, "v");
    const size_t size =
        count * strlen("$1\r\nv\r\n" FORGET_K) + strlen("+PONG\r\n");
    assert_int_equal(c.connection.output.size, size);
    assert_false(c.connection.broken);
    client_close(&c);
}

static void tells_only_who_opted(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    c.at_once = true;
    client_send(&c, "HELLO 3\r\nCLIENT TRACKING ON OPTIN\r\nGET k\r\n");
    client_expect(&c, HELLO3 "+OK\r\n"
                             "$1\r\nk\r\n");
    client_send(&c, "CLIENT CACHING YES\r\nGET k\r\nGET k\r\n");
    client_expect(&c, "+OK\r\n"
                      "$1\r\nk\r\n" FORGET_K "$1\r\nk\r\n");
    client_send(&c, "CLIENT TRACKING OFF\r\nCLIENT TRACKING ON OPTOUT\r\n"
                    "GET k\r\nCLIENT CACHING NO\r\nGET k\r\n");
    client_expect(&c, "+OK\r\n+OK\r\n"
                      "$1\r\nk\r\n" FORGET_K "+OK\r\n"
                      "$1\r\nk\r\n");
    /* The next command is that one also if it is refused. */
    client_send(&c, "CLIENT CACHING NO\r\nGET\r\nGET k\r\n"
                    "CLIENT CACHING NO\r\nFOO\r\nGET k\r\n");
    client_expect(&c, "+OK\r\n"
                      "-ERR wrong number of arguments for 'get' command\r\n"
                      "$1\r\nk\r\n" FORGET_K "+OK\r\n"
                      "-ERR unknown command 'FOO', with args beginning with: "
                      "\r\n$1\r\nk\r\n" FORGET_K);
    client_send(&c, "HELLO 2\r\n");
    hf_buffer_clear(&c.connection.output);
    client_send(&c, "GET k\r\n"); /* No pushes there. */
    client_expect(&c, "$1\r\nk\r\n");
    client_close(&c);
}

/* CLIENT LIST ID with @count numbers that nobody has. */
static void client_list_ids(struct client *c, size_t count)
{
    struct hf_buffer sent;
    hf_buffer_init(&sent, &c->own);
    hf_buffer_append_text(&sent, "CLIENT LIST ID");
    for (size_t i = 0; i < count; i++) {
        hf_buffer_append_text(&sent, " 7");
    }
    hf_buffer_append_text(&sent, "\r\n");
    hf_connection_receive(&c->connection, hf_buffer_slice(&sent));
    hf_buffer_close(&sent);
}

static void describes_its_client(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"CLIENT LIST\r\n",
         "$117\r\nid=42 addr=127.0.0.1:5000 name= flags=N db=0 sub=0 psub=0 "
         "ssub=0 "
         "oll=0 omem=0 user=default resp=2 lib-name= lib-ver=\n\r\n"},
        {"CLIENT LIST TYPE pubsub\r\n", "$0\r\n\r\n"},
        {"CLIENT LIST TYPE foo\r\n", "-ERR Unknown client type 'foo'\r\n"},
        {"CLIENT LIST foo\r\n", SYNTAX},
        {"CLIENT LIST ID 7 8\r\nCLIENT LIST ID x\r\n",
         "$0\r\n\r\n-ERR Invalid client ID\r\n"},
        {"CLIENT LIST ID 42 7\r\n",
         "$117\r\nid=42 addr=127.0.0.1:5000 name= flags=N db=0 sub=0 psub=0 "
         "ssub=0 "
         "oll=0 omem=0 user=default resp=2 lib-name= lib-ver=\n\r\n"},
    };
    ASSERT_EXCHANGES(exchanges);

    struct client c;
    client_open(&c);
    client_list_ids(&c, 64);
    client_expect(&c, "$0\r\n\r\n");
    client_list_ids(&c, 65);
    client_expect(&c, "-ERR at most 64 client IDs can be listed at once\r\n");
    client_send(&c, "HELLO 3 SETNAME me\r\nCLIENT SETINFO LIB-NAME lib\r\n"
                    "CLIENT SETINFO LIB-VER 1.2\r\n");
    client_expect(&c, HELLO3 "+OK\r\n+OK\r\n");
    client_send(&c, "GET k\r\n");
    client_send(&c, "CLIENT INFO\r\nCLIENT LIST TYPE normal\r\n");
    client_answer(&c, 0, "v");
    client_expect(
        &c, "$1\r\nv\r\n"
            "=129\r\ntxt:id=42 addr=127.0.0.1:5000 name=me flags=N db=0 sub=0 "
            "psub=0 ssub=0 oll=1 omem=0 user=default resp=3 lib-name=lib "
            "lib-ver=1.2"
            "\n\r\n"
            "=131\r\ntxt:id=42 addr=127.0.0.1:5000 name=me flags=N db=0 sub=0 "
            "psub=0 ssub=0 oll=2 omem=137 user=default resp=3 lib-name=lib "
            "lib-ver=1.2\n\r\n");
    client_close(&c);
}

static void cuts_long_names(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    char name[101];
    memset(name, 'n', 100);
    name[100] = '\0';
    client_send(&c, "CLIENT SETNAME ");
    client_send(&c, name);
    client_send(&c, "\r\nCLIENT GETNAME\r\n");
    name[64] = '\0';
    char expected[200] = "+OK\r\n$64\r\n";
    strcat(expected, name);
    strcat(expected, "\r\n");
    client_expect(&c, expected);
    client_close(&c);
}

static void asks_the_host_for_info_and_status(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"INFO\r\n", "$4\r\n# \r\n\r\n"},
        {"INFO Server\r\n", "$10\r\n# Server\r\n\r\n"},
        {"INFO a b\r\n", "$10\r\n# a\r\n# b\r\n\r\n"},
        {"INFO 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\r\n",
         "$14\r\n# everything\r\n\r\n"},
        {"HELLO 3\r\nINFO a\r\n", HELLO3 "=9\r\ntxt:# a\r\n\r\n"},
        {"HOLDFAST STATUS\r\n", "*2\r\n$5\r\nepoch\r\n:3\r\n"},
        {"HELLO 3\r\nholdfast status\r\n",
         HELLO3 "%1\r\n$5\r\nepoch\r\n:3\r\n"},
        {"HOLDFAST STATUS x\r\n", ARITY("holdfast|status")},
        {"HOLDFAST foo\r\n",
         "-ERR unknown subcommand 'foo'. Try HOLDFAST HELP.\r\n"},
        {"HOLDFAST HELP\r\n",
         "*4\r\n+HOLDFAST <subcommand> [<arg> [value] [opt] ...]. "
         "Subcommands are:\r\n+DRAIN [<node>]\r\n+STATUS\r\n+TAKEOVER\r\n"},
        {"HOLDFAST\r\n", ARITY("holdfast")},
    };
    ASSERT_EXCHANGES(exchanges);
}

/* What does something to the node is answered by it, in its turn. */
static void lets_the_host_manage_the_node(void **state)
{
    (void)state;
    struct client c;
    client_open(&c);
    client_send(&c, "HOLDFAST drain n2\r\nPING\r\nHOLDFAST DRAIN\r\n");
    client_expect_asked(&c, "HOLDFAST drain n2\nHOLDFAST DRAIN\n");
    client_expect(&c, "");
    assert_false(hf_connection_is_quiet(&c.connection));
    client_answer(&c, 0, "a");
    client_expect(&c, "$1\r\na\r\n+PONG\r\n");
    client_answer(&c, 1, "b");
    client_expect(&c, "$1\r\nb\r\n");
    assert_true(hf_connection_is_quiet(&c.connection));
    client_send(&c, "PI");
    assert_false(hf_connection_is_quiet(&c.connection));
    client_close(&c);
}

#define ROW_TAIL "*0\r\n*0\r\n*0\r\n*0\r\n"
#define ROW_TAIL3 "~0\r\n*0\r\n*0\r\n*0\r\n"

static void describes_commands(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"COMMAND INFO get nope mset\r\n",
         "*3\r\n"
         "*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n"
         ":1\r\n:1\r\n:1\r\n" ROW_TAIL "*-1\r\n"
         "*10\r\n$4\r\nmset\r\n:-3\r\n*1\r\n+write\r\n"
         ":1\r\n:-1\r\n:2\r\n" ROW_TAIL},
        {"HELLO 3\r\nCOMMAND INFO PING nope\r\n",
         HELLO3 "*2\r\n*10\r\n$4\r\nping\r\n:-1\r\n~1\r\n+fast\r\n"
                ":0\r\n:0\r\n:0\r\n" ROW_TAIL3 "_\r\n"},
        {"COMMAND INFO publish time eval\r\n",
         "*3\r\n"
         "*10\r\n$7\r\npublish\r\n:3\r\n*2\r\n+pubsub\r\n+fast\r\n"
         ":0\r\n:0\r\n:0\r\n" ROW_TAIL
         "*10\r\n$4\r\ntime\r\n:1\r\n*1\r\n+fast\r\n"
         ":0\r\n:0\r\n:0\r\n" ROW_TAIL
         "*10\r\n$4\r\neval\r\n:-3\r\n*2\r\n+write\r\n+movablekeys\r\n"
         ":0\r\n:0\r\n:0\r\n" ROW_TAIL},
        {"COMMAND DOCS\r\n", "*0\r\n"},
        {"HELLO 3\r\nCOMMAND DOCS get\r\n", HELLO3 "%0\r\n"},
        {"COMMAND COUNT x\r\n", ARITY("command|count")},
        {"COMMAND FOO\r\n",
         "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n"},
    };
    ASSERT_EXCHANGES(exchanges);
}

/* The first line of what waits to be sent, which is dropped. */
static int64_t client_take_count(struct client *c, char sign)
{
    struct hf_buffer *output = &c->connection.output;
    assert_true(output->size > 3);
    assert_int_equal(output->data[0], sign);
    const uint8_t *end = memchr(output->data, '\r', output->size);
    assert_non_null(end);
    struct hf_slice digits = {output->data + 1,
                              (size_t)(end - output->data) - 1};
    int64_t value = 0;
    assert_true(hf_slice_to_int64(digits, &value));
    hf_buffer_clear(output);
    return value;
}

static void lists_every_command(void **state)
{
    (void)state;
    int64_t rows = 0;
    while (hf_command_at((size_t)rows) != NULL) {
        rows++;
    }
    struct client c;
    client_open(&c);
    client_send(&c, "COMMAND COUNT\r\n");
    assert_int_equal(client_take_count(&c, ':'), rows);
    client_send(&c, "COMMAND\r\n");
    assert_int_equal(client_take_count(&c, '*'), rows);
    client_send(&c, "COMMAND INFO\r\n");
    assert_int_equal(client_take_count(&c, '*'), rows);
    client_send(&c, "COMMAND LIST\r\n");
    assert_int_equal(client_take_count(&c, '*'), rows);
    client_close(&c);
}

/* A row of the table that the connection cannot run would be an assertion. */
static void runs_every_command_that_is_its_own(void **state)
{
    (void)state;
    const struct hf_command_row *row;
    for (size_t i = 0; (row = hf_command_at(i)) != NULL; i++) {
        if (row->route != HF_ROUTE_CONNECTION) {
            continue;
        }
        struct client c;
        client_open(&c);
        client_send(&c, row->name);
        int words = row->arity < 0 ? -row->arity : row->arity;
        for (int word = 1; word < words; word++) {
            client_send(&c, " x");
        }
        client_send(&c, "\r\n");
        assert_true(c.connection.output.size > 0);
        assert_int_equal(c.count, 0);
        client_close(&c);
    }
}

static void tells_the_slot_of_a_key_but_is_no_cluster(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"CLUSTER KEYSLOT foo\r\n", ":12182\r\n"},
        {"CLUSTER KEYSLOT {user1000}.following\r\n", ":3443\r\n"},
        {"CLUSTER KEYSLOT\r\n", ARITY("cluster|keyslot")},
        {"CLUSTER SLOTS\r\n",
         "-ERR This instance has cluster support disabled\r\n"},
        {"CLUSTER foo\r\n",
         "-ERR unknown subcommand 'foo'. Try CLUSTER HELP.\r\n"},
        {"CLUSTER\r\n", ARITY("cluster")},
    };
    ASSERT_EXCHANGES(exchanges);
}

#define UNKNOWN(name)                                                          \
    "-ERR unknown command '" name "', with args beginning with: "
#define A10 "aaaaaaaaaa"
#define A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 A10

static void refuses_unknown_commands_as_redis_does(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"foo a b\r\n", UNKNOWN("foo") "'a' 'b' \r\n"},
        {"FooBar\r\n", UNKNOWN("FooBar") "\r\n"},
        {"foo \"\"\r\n", UNKNOWN("foo") "'' \r\n"},
        {"foo \"a\\r\\nb\"\r\n", UNKNOWN("foo") "'a  b' \r\n"},
        {"foo \"a\\x00b\"\r\n", UNKNOWN("foo") "'a' \r\n"},
        {"get\\x00 k\r\n", UNKNOWN("get\\x00") "'k' \r\n"},
        {"*1\r\n$0\r\n\r\n", UNKNOWN("") "\r\n"},
        {"foo " A100 A100 "\r\n",
         UNKNOWN("foo") "'" A100 A10 A10 "aaaaaaaa' \r\n"},
        {"foo " A100 " " A100 " c\r\n",
         UNKNOWN("foo") "'" A100 "' '" A10 A10 "aaaaa' \r\n"},
        {A100 A100 "\r\n", UNKNOWN(A100 A10 A10 "aaaaaaaa") "\r\n"},
        {"CLIENT " A100 A100 "\r\n", "-ERR unknown subcommand '" A100 A10 A10
                                     "aaaaaaaa'. Try CLIENT HELP.\r\n"},
    };
    ASSERT_EXCHANGES(exchanges);
}

static void refuses_a_wrong_number_of_arguments(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"GET\r\n", ARITY("get")},     {"get a b\r\n", ARITY("get")},
        {"MSET a\r\n", ARITY("mset")}, {"MSET a b c\r\n", ARITY("mset")},
        {"SET k\r\n", ARITY("set")},
    };
    ASSERT_EXCHANGES(exchanges);
}

/* "GET <key of @size>", answered with an error or asked of the node. */
static void assert_key_size(const char *before, size_t size, const char *after,
                            bool fits)
{
    struct client c;
    client_open(&c);
    char *key = malloc(size + 1);
    assert_non_null(key);
    memset(key, 'k', size);
    key[size] = '\0';
    client_send(&c, before);
    client_send(&c, key);
    client_send(&c, after);
    free(key);
    assert_int_equal(c.count, fits ? 1 : 0);
    client_expect(&c, fits ? "" : "-ERR key is longer than 8192 bytes\r\n");
    assert_false(c.connection.closing);
    client_send(&c, "PING\r\n");
    if (!fits) {
        client_expect(&c, "+PONG\r\n");
    }
    client_close(&c);
}

static void refuses_keys_that_are_too_long(void **state)
{
    (void)state;
    assert_key_size("GET ", 8192, "\r\n", true);
    assert_key_size("GET ", 8193, "\r\n", false);
    assert_key_size("SET k ", 8193, "\r\n", true);
    assert_key_size("DEL a b ", 8193, " c\r\n", false);
    assert_key_size("MSET a b ", 8193, " c\r\n", false);
    assert_key_size("MSET a ", 8193, " b c\r\n", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_the_small_commands_by_itself),
        cmocka_unit_test(answers_what_test_suites_say_in_passing),
        cmocka_unit_test(answers_auth_without_having_passwords),
        cmocka_unit_test(greets_in_the_version_asked_for),
        cmocka_unit_test(changes_nothing_by_a_hello_it_refuses),
        cmocka_unit_test(knows_its_client),
        cmocka_unit_test(closes_itself),
        cmocka_unit_test(answers_no_more_than_was_asked_for),
        cmocka_unit_test(keeps_silent_about_what_comes_later),
        cmocka_unit_test(knows_who_keeps_answers),
        cmocka_unit_test(tells_to_forget_what_was_read),
        cmocka_unit_test(tells_to_forget_more_than_may_wait),
        cmocka_unit_test(tells_only_who_opted),
        cmocka_unit_test(describes_its_client),
        cmocka_unit_test(cuts_long_names),
        cmocka_unit_test(asks_the_host_for_info_and_status),
        cmocka_unit_test(lets_the_host_manage_the_node),
        cmocka_unit_test(describes_commands),
        cmocka_unit_test(lists_every_command),
        cmocka_unit_test(runs_every_command_that_is_its_own),
        cmocka_unit_test(tells_the_slot_of_a_key_but_is_no_cluster),
        cmocka_unit_test(refuses_unknown_commands_as_redis_does),
        cmocka_unit_test(refuses_a_wrong_number_of_arguments),
        cmocka_unit_test(refuses_keys_that_are_too_long),
    };
    return cmocka_run_group_tests_name("connection_commands", tests, NULL,
                                       NULL);
}
