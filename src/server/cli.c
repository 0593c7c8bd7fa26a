/* cli.c - holdfast: what a person asks a cluster, and asks of it.
 *
 *   holdfast status [--host H] [--port P] [--json]
 *
 *   0  every partition has all its copies and is where it should be
 *   1  not yet
 *   2  the node cannot be reached, or bad usage
 *
 *   holdfast status --safe-to-stop NODE [--host H] [--port P]
 *
 *   0  the node named NODE may stop now: others have copies of all it holds
 *   1  not now
 *   2  no such member, the node cannot be reached, or bad usage
 *
 *   holdfast drain [NODE] [--host H] [--port P]
 *
 *   0  the node handed over, left and stops
 *   1  it stops, but not all was handed over; or it is not known
 *   2  no such member, the node cannot be reached, or bad usage
 *
 *   holdfast takeover [--yes] [--host H] [--port P]
 *
 *   0  the node goes on without those it does not hear
 *   1  not without --yes, or the node refused
 *   2  the node cannot be reached, or bad usage */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "server/cli.h"

struct cli_command {
    const char *name;
    bool takes_node; /* A word after the command. */
    int (*run)(const struct hf_cli_options *options);
    const char *allowed; /* After the command. */
};

static const struct cli_command commands[] = {
    {"status", false, hf_cli_status,
     "--host, --port, --json, --safe-to-stop (see --help)"},
    {"drain", true, hf_cli_drain,
     "the name of a node, --host, --port (see --help)"},
    {"takeover", false, hf_cli_takeover, "--yes, --host, --port (see --help)"},
};

static void print_help(FILE *to)
{
    fprintf(
        to,
        "usage: holdfast status [--host HOST] [--port PORT] [--json]\n"
        "       holdfast status --safe-to-stop NODE [--host HOST] "
        "[--port PORT]\n"
        "       holdfast drain [NODE] [--host HOST] [--port PORT]\n"
        "       holdfast takeover [--yes] [--host HOST] [--port PORT]\n"
        "\n"
        "status asks any node for the state of its cluster. drain makes a "
        "node, the one\n"
        "asked or the member NODE, hand over all it holds, leave the cluster "
        "and stop.\n"
        "takeover makes the node asked, and those it hears, go on without the "
        "others.\n"
        "\n"
        "  --host HOST  the node to ask [127.0.0.1]\n"
        "  --port PORT  its port for clients (1 to 65535) [7379]\n"
        "  --json       status: one JSON object instead of a table\n"
        "  --safe-to-stop NODE\n"
        "               status: whether the member NODE may stop now and "
        "nothing is\n"
        "               lost\n"
        "  --yes        takeover: do it, though sessions may be lost\n"
        "  --help       this text\n"
        "  --version    the version\n"
        "\n"
        "exit code of status:\n"
        "  0  all partitions have their copies and are where they should be\n"
        "  1  not yet\n"
        "of status --safe-to-stop:\n"
        "  0  NODE may stop and nothing is lost\n"
        "  1  not now\n"
        "of drain:\n"
        "  0  it has left, and others hold all that it held\n"
        "  1  it stops without that, or it is not known whether\n"
        "of takeover:\n"
        "  0  the node goes on\n"
        "  1  not without --yes, or the node refused\n"
        "of each:\n"
        "  2  the node cannot be reached, there is no member NODE, or bad "
        "usage\n");
}

static int fail_usage(const char *what, const char *value, const char *allowed)
{
    fprintf(stderr, "holdfast: %s '%s' is not allowed: %s\n", what, value,
            allowed);
    return HF_CLI_UNREACHABLE;
}

/* The value of option @name at @arguments, or NULL: it is another option.
 * *@used says how many arguments it took; 0: the value is missing. */
static const char *option_value(const char *name, int count, char **arguments,
                                int *used)
{
    size_t size = strlen(name);
    if (strncmp(arguments[0], name, size) != 0) {
        return NULL;
    }
    if (arguments[0][size] == '=') {
        *used = 1;
        return arguments[0] + size + 1;
    }
    if (arguments[0][size] != '\0') {
        return NULL;
    }
    *used = count > 1 ? 2 : 0;
    return count > 1 ? arguments[1] : "";
}

static int read_port(struct hf_cli_options *options, const char *value)
{
    int64_t port;
    if (!hf_slice_to_int64(hf_slice_text(value), &port) || port < 1 ||
        port > 65535) {
        return fail_usage("--port", value, "a number from 1 to 65535");
    }
    options->port = (int)port;
    return 0;
}

/* Reads the option at @arguments; *@used as option_value says. */
static int read_option(struct hf_cli_options *options,
                       const struct cli_command *command, int count,
                       char **arguments, int *used)
{
    bool status = command->run == hf_cli_status;
    bool takeover = command->run == hf_cli_takeover;
    const char *value;
    *used = 1;
    if (status && strcmp(arguments[0], "--json") == 0) {
        options->json = true;
    } else if (takeover && strcmp(arguments[0], "--yes") == 0) {
        options->yes = true;
    } else if ((value = option_value("--host", count, arguments, used)) !=
               NULL) {
        if (value[0] == '\0') {
            return fail_usage("--host", value, "a host name or address");
        }
        options->host = value;
    } else if (status && (value = option_value("--safe-to-stop", count,
                                               arguments, used)) != NULL) {
        if (value[0] == '\0') {
            return fail_usage("--safe-to-stop", value, "the name of a member");
        }
        options->safe_to_stop = value;
    } else if ((value = option_value("--port", count, arguments, used)) !=
               NULL) {
        return read_port(options, value);
    } else if (command->takes_node && options->node == NULL &&
               arguments[0][0] != '-' && arguments[0][0] != '\0') {
        options->node = arguments[0];
    } else {
        return fail_usage("argument", arguments[0], command->allowed);
    }
    return 0;
}

static int read_options(struct hf_cli_options *options,
                        const struct cli_command *command, int count,
                        char **arguments)
{
    int used = 1;
    for (int i = 0; i < count; i += used) {
        if (read_option(options, command, count - i, arguments + i, &used) !=
            0) {
            return HF_CLI_UNREACHABLE;
        }
    }
    if (options->json && options->safe_to_stop != NULL) {
        return fail_usage("argument", "--json", "not with --safe-to-stop");
    }
    return 0;
}

static const struct cli_command *command_find(const char *name)
{
    for (size_t i = 0; i < HF_ARRAY_COUNT(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

int main(int argc, char *argv[])
{
    struct hf_cli_options options = {.host = "127.0.0.1", .port = 7379};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(stdout);
            return 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            puts("holdfast " HF_VERSION);
            return 0;
        }
    }
    if (argc < 2) {
        print_help(stderr);
        return HF_CLI_UNREACHABLE;
    }
    const struct cli_command *command = command_find(argv[1]);
    if (command == NULL) {
        return fail_usage("command", argv[1],
                          "status, drain or takeover (see "
                          "--help)");
    }
    if (read_options(&options, command, argc - 2, argv + 2) != 0) {
        return HF_CLI_UNREACHABLE;
    }
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    return command->run(&options);
}
