/* descriptor.h - The file descriptor under an NNG stream.
 *
 * NNG 1.5 does not tell it. But the two addresses of a TCP connection are its
 * own, so among the sockets of this process it is the one that has them. It
 * remains NNG's: only ask the kernel about it, and not after the stream was
 * freed. */
#ifndef HF_IO_DESCRIPTOR_H
#define HF_IO_DESCRIPTOR_H

#include <nng/nng.h>

/* Cheap when the connection was made just now; else it looks at every open
 * descriptor. -1: not to be found; not over TCP, or this system does not list
 * descriptors. @looks, which may be NULL: at how many it looked. */
int hf_descriptor_of(nng_stream *stream, unsigned *looks);

#endif
