/* listen_test.c - Several processes want the same Unix socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "holdfast/error.h"
#include "io/listen.h"

#define PROCESSES 4
#define ROUNDS 100

/* A directory of its own, a path in it, and one beside that. */
struct place {
    char directory[40];
    char path[64];
    char lock[80];
};

static int set_up(void **state)
{
    static struct place place;
    strcpy(place.directory, "/tmp/holdfast-listen-XXXXXX");
    assert_non_null(mkdtemp(place.directory));
    snprintf(place.path, sizeof(place.path), "%s/s", place.directory);
    snprintf(place.lock, sizeof(place.lock), "%s.lock", place.path);
    *state = &place;
    return 0;
}

static int tear_down(void **state)
{
    const struct place *place = *state;
    assert_int_equal(rmdir(place->directory), 0); /* It is empty. */
    return 0;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    return address;
}

/* What a process leaves that was killed. */
static void leave_socket(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    unlink(path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
}

static bool connects(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int rv = connect(fd, (struct sockaddr *)&address, sizeof(address));
    close(fd);
    return rv == 0;
}

static void on_connection(uv_stream_t *stream, int status)
{
    (void)stream;
    (void)status;
}

static void listen_and_close(const char *path, int expected)
{
    uv_loop_t loop;
    uv_pipe_t pipe;
    int lock;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_pipe_init(&loop, &pipe, 0), 0);
    assert_int_equal(hf_listen_unix(&pipe, path, 8, on_connection, &lock),
                     expected);
    assert_int_equal(lock >= 0, expected == 0);
    assert_int_equal(connects(path), expected == 0);
    uv_close((uv_handle_t *)&pipe, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    hf_listen_unlock(path, lock);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void who_has_the_lock_is_not_disturbed(void **state)
{
    const struct place *place = *state;
    leave_socket(place->path);
    int other = open(place->lock, O_CREAT | O_RDWR, 0600);
    assert_int_equal(flock(other, LOCK_EX), 0);
    listen_and_close(place->path, HF_EINUSE);
    assert_int_equal(access(place->path, F_OK), 0);
    assert_int_equal(access(place->lock, F_OK), 0);
    close(other); /* It died; the file is still there. */
    listen_and_close(place->path, 0);
    assert_int_not_equal(access(place->path, F_OK), 0);
    assert_int_not_equal(access(place->lock, F_OK), 0);
}

/* Begins when @begin is closed, says what became of it, and stays until @end
 * is closed. */
static void contend(const char *path, int begin, int said, int end)
{
    uv_loop_t loop;
    uv_pipe_t pipe;
    int lock;
    uint8_t byte = 0;
    if (uv_loop_init(&loop) != 0 || uv_pipe_init(&loop, &pipe, 0) != 0 ||
        read(begin, &byte, 1) != 0) {
        _exit(1);
    }
    byte = hf_listen_unix(&pipe, path, 8, on_connection, &lock) == 0;
    if (write(said, &byte, 1) != 1 || read(end, &byte, 1) != 0) {
        _exit(1);
    }
    _exit(0); /* As if it was killed. */
}

static void of_several_at_once_one_succeeds(void **state)
{
    const struct place *place = *state;
    for (int round = 0; round < ROUNDS; round++) {
        int begin[2];
        int said[2];
        int end[2];
        pid_t processes[PROCESSES];
        int winners = 0;
        leave_socket(place->path);
        assert_int_equal(pipe(begin) + pipe(said) + pipe(end), 0);
        for (int i = 0; i < PROCESSES; i++) {
            processes[i] = fork();
            assert_true(processes[i] >= 0);
            if (processes[i] == 0) {
                close(begin[1]);
                close(end[1]);
                contend(place->path, begin[0], said[1], end[0]);
            }
        }
        close(begin[1]);
        for (int i = 0; i < PROCESSES; i++) {
            uint8_t byte = 0;
            assert_int_equal(read(said[0], &byte, 1), 1);
            winners += byte;
        }
        assert_true(connects(place->path));
        close(end[1]);
        for (int i = 0; i < PROCESSES; i++) {
            int status = 0;
            assert_int_equal(waitpid(processes[i], &status, 0), processes[i]);
            assert_int_equal(status, 0);
        }
        int fds[] = {begin[0], said[0], said[1], end[0]};
        for (size_t i = 0; i < HF_ARRAY_COUNT(fds); i++) {
            close(fds[i]);
        }
        assert_int_equal(winners, 1);
    }
    unlink(place->path);
    unlink(place->lock);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_has_the_lock_is_not_disturbed),
        TEST(of_several_at_once_one_succeeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
