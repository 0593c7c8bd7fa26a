/* mutation.h - Mechanisms that the tests can break, to see whether they notice.
 *
 * A condition HF_MUTATED(NAME) beside a mechanism is the constant false in
 * every build of the product, and nothing of it is left in the code. Only
 * sim_mutable (tests/CMakeLists.txt) compiles core with HF_MUTATIONS, the name
 * of a header with the list of the switches (tests/sim/mutations.h): there it
 * says whether the one that was chosen is NAME. */
#ifndef HF_BASE_MUTATION_H
#define HF_BASE_MUTATION_H

#ifdef HF_MUTATIONS
#include HF_MUTATIONS
#else
#define HF_MUTATED(name) false
#endif

#endif
