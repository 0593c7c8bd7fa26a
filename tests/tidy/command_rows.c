/* command_rows.c - Prints the table of commands, a line each, for
 * commands_page.py: section, name, arity, arguments, atomicity, note, with a
 * tab between them. */
#include <stdio.h>

#include "core/command.h"

static const char *section_name(enum hf_section section)
{
    switch (section) {
    case HF_SECTION_STRING:
        return "strings";
    case HF_SECTION_HASH:
        return "hashes";
    case HF_SECTION_SET:
        return "sets";
    case HF_SECTION_SORTED_SET:
        return "sorted";
    case HF_SECTION_LIST:
        return "lists";
    case HF_SECTION_KEYSPACE:
        return "keys";
    case HF_SECTION_TRANSACTION:
        return "transactions";
    case HF_SECTION_SCRIPT:
        return "scripts";
    case HF_SECTION_CLUSTER:
        return "cluster";
    case HF_SECTION_PUBSUB:
        return "pubsub";
    case HF_SECTION_SERVER:
        return "server";
    }
    return "?";
}

/* What happens at once, as every other client sees it. */
static const char *atomicity(enum hf_route route)
{
    switch (route) {
    case HF_ROUTE_CONNECTION:
    case HF_ROUTE_NODE:
        return "";
    case HF_ROUTE_SUBSCRIBERS:
        return "each node";
    case HF_ROUTE_KEY:
    case HF_ROUTE_SCRIPT:
        return "yes";
    case HF_ROUTE_UNIT:
        return "see below";
    case HF_ROUTE_KEYS:
        return "each key";
    case HF_ROUTE_PARTITIONS:
        return "each partition";
    case HF_ROUTE_EVERYWHERE:
    case HF_ROUTE_SCAN:
    case HF_ROUTE_WALK:
        return "no";
    }
    return "?";
}

int main(void)
{
    const struct hf_command_row *row;
    for (size_t i = 0; (row = hf_command_at(i)) != NULL; i++) {
        printf("%s\t%s\t%d\t%s\t%s\t%s\n", section_name(row->section),
               row->name, row->arity, row->usage, atomicity(row->route),
               row->note);
    }
    return 0;
}
