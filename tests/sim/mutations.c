#include "sim/mutations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum hf_mutation hf_mutation = HF_MUTATION_NONE;

struct mutation {
    const char *name;
    unsigned seed;
    unsigned limit;
    const char *story;
    const char *text;
};

static const struct mutation mutations[] = {{"NONE", 1, 1, "", ""},
#define MUTATION_ROW(name, seed, limit, story, text)                           \
    {#name, seed, limit, story, text},
                                            MUTATIONS(MUTATION_ROW)
#undef MUTATION_ROW
};

#define MUTATION_COUNT (sizeof(mutations) / sizeof(mutations[0]))

bool mutation_choose(const char *name)
{
    for (size_t i = 1; i < MUTATION_COUNT; i++) {
        if (strcmp(mutations[i].name, name) == 0) {
            hf_mutation = (enum hf_mutation)i;
            return true;
        }
    }
    return false;
}

void mutations_print(void)
{
    for (size_t i = 1; i < MUTATION_COUNT; i++) {
        const struct mutation *m = &mutations[i];
        (void)printf("%s\t%u\t%u\t%s\t%s\n", m->name, m->seed, m->limit,
                     m->story[0] == '\0' ? "-" : m->story, m->text);
    }
}

/* For the stories, whose command line is not ours. */
__attribute__((constructor)) static void choose_by_environment(void)
{
    const char *name = getenv("HOLDFAST_MUTATE");
    if (name != NULL && !mutation_choose(name)) {
        (void)fprintf(stderr, "no mutation %s\n", name);
        _Exit(64);
    }
}
