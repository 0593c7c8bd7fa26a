/* pipe_test.c - Frames over one stream, without the rest of a link. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/descriptor.h"
#include "io/pipe.h"

#define OTHERS 2000u /* Below the limit that most systems set. */
#define FRAMES (5 * HF_PIPE_BATCH_MAX)

struct fixture {
    uv_loop_t loop;
    struct hf_mem mem;
    struct hf_inbox inbox;
    nng_stream *far; /* The other end. */
    struct hf_pipe pipe;
};

static struct fixture f;

static nng_stream *output_of(nng_aio *aio)
{
    nng_aio_wait(aio);
    assert_int_equal(nng_aio_result(aio), 0);
    return nng_aio_get_output(aio, 0);
}

/* Two ends of a connection over loopback; the near one is the pipe. */
static void open_ends(void)
{
    nng_stream_listener *listener;
    nng_stream_dialer *dialer;
    nng_aio *accepted;
    nng_aio *dialled;
    int port;
    char url[64];
    assert_int_equal(nng_stream_listener_alloc(&listener, "tcp://127.0.0.1:0"),
                     0);
    assert_int_equal(nng_stream_listener_listen(listener), 0);
    assert_int_equal(
        nng_stream_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port),
        0);
    (void)snprintf(url, sizeof(url), "tcp://127.0.0.1:%d", port);
    assert_int_equal(nng_stream_dialer_alloc(&dialer, url), 0);
    assert_int_equal(nng_aio_alloc(&accepted, NULL, NULL), 0);
    assert_int_equal(nng_aio_alloc(&dialled, NULL, NULL), 0);
    nng_stream_listener_accept(listener, accepted);
    nng_stream_dialer_dial(dialer, dialled);
    f.far = output_of(accepted);
    assert_int_equal(
        hf_pipe_open(&f.pipe, output_of(dialled), &f.inbox, &f.mem), 0);
    nng_aio_free(accepted);
    nng_aio_free(dialled);
    nng_stream_dialer_free(dialer);
    nng_stream_listener_free(listener);
}

static void close_ends(void)
{
    hf_pipe_close(&f.pipe);
    while (!hf_pipe_is_idle(&f.pipe)) {
        uv_run(&f.loop, UV_RUN_ONCE);
    }
    hf_pipe_release(&f.pipe);
    nng_stream_close(f.far);
    nng_stream_free(f.far);
}

static int open_fixture(void **state)
{
    (void)state;
    assert_int_equal(uv_loop_init(&f.loop), 0);
    assert_int_equal(hf_inbox_init(&f.inbox, &f.loop), 0);
    hf_mem_init_system(&f.mem);
    open_ends();
    return 0;
}

static void on_inbox_closed(void *user)
{
    (void)user;
}

static int close_fixture(void **state)
{
    (void)state;
    close_ends();
    hf_inbox_close(&f.inbox, on_inbox_closed, NULL);
    uv_run(&f.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f.loop), 0);
    assert_int_equal(f.mem.used_bytes, 0);
    return 0;
}

static void push(uint8_t number)
{
    struct hf_pipe_frame *frame = hf_pipe_frame_new(&f.pipe);
    assert_non_null(frame);
    for (unsigned i = 0; i <= number; i++) {
        hf_buffer_put_u8(&frame->bytes, number);
    }
    hf_pipe_push(&f.pipe, frame);
}

static void expect(uint8_t number)
{
    uint8_t bytes[FRAMES];
    size_t size = 0;
    nng_aio *aio;
    assert_int_equal(nng_aio_alloc(&aio, NULL, NULL), 0);
    while (size <= number) {
        nng_iov iov = {.iov_buf = bytes, .iov_len = number + 1u - size};
        assert_int_equal(nng_aio_set_iov(aio, 1, &iov), 0);
        nng_stream_recv(f.far, aio);
        nng_aio_wait(aio);
        assert_int_equal(nng_aio_result(aio), 0);
        for (size_t i = 0; i < nng_aio_count(aio); i++) {
            assert_int_equal(bytes[i], number);
        }
        size += nng_aio_count(aio);
    }
    nng_aio_free(aio);
}

/* More frames than one operation takes go out without a thread of NNG, too, as
 * long as the kernel has room. */
static void many_frames_go_out_at_once(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < FRAMES; i++) {
        push(i);
    }
    hf_pipe_flush(&f.pipe);
    assert_false(f.pipe.sending.in_flight);
    assert_true(hf_list_is_empty(&f.pipe.frames));
    assert_int_equal(f.pipe.frames_bytes, 0);
    for (uint8_t i = 0; i < FRAMES; i++) {
        expect(i);
    }
}

/* Of many clients that are connected a link to a peer is found soon; also when
 * it is not the newest any more, if not so soon. */
static void the_descriptor_is_found_among_many(void **state)
{
    (void)state;
    static int others[OTHERS];
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    close_ends();
    for (unsigned i = 0; i < OTHERS; i++) {
        others[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(others[i] >= 0);
    }
    open_ends();
    unsigned looks;
    int found = hf_descriptor_of(f.pipe.nng, &looks);
    assert_true(found > (int)OTHERS / 2);
    assert_in_range(looks, 1, 20);

    for (unsigned i = 0; i < OTHERS; i++) {
        close(others[i]);
    }
    assert_int_equal(hf_descriptor_of(f.pipe.nng, &looks), found);
    assert_in_range(looks, 20, OTHERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_frames_go_out_at_once,
                                        open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(the_descriptor_is_found_among_many,
                                        open_fixture, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
