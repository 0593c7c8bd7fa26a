/* sanitized.h - Whether this build looks for misuse of memory and leaks. */
#ifndef HF_BASE_SANITIZED_H
#define HF_BASE_SANITIZED_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HF_IS_SANITIZED 1
#endif
#endif
#if !defined(HF_IS_SANITIZED) && defined(__SANITIZE_ADDRESS__)
#define HF_IS_SANITIZED 1
#endif
#if !defined(HF_IS_SANITIZED)
#define HF_IS_SANITIZED 0
#endif

#endif
