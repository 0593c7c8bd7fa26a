/* totals.h - What a node keeps up to date as it changes, counted anew. */
#ifndef HF_TESTS_TOTALS_H
#define HF_TESTS_TOTALS_H

struct cluster;
struct process;

/* Fails @c when @process would tell others of more or fewer sessions, bytes or
 * fences than its partitions hold. */
void totals_check(struct cluster *c, const struct process *process);

#endif
