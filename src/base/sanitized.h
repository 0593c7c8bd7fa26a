/* sanitized.h - Whether this build looks for misuse of memory, or for races:
 * its malloc(3) is another one, and it is slow. */
#ifndef HF_BASE_SANITIZED_H
#define HF_BASE_SANITIZED_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HF_IS_SANITIZED 1
#endif
#endif
#if !defined(HF_IS_SANITIZED) &&                                               \
    (defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__))
#define HF_IS_SANITIZED 1
#endif
#if !defined(HF_IS_SANITIZED)
#define HF_IS_SANITIZED 0
#endif

#endif
