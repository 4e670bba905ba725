/* The server that every lane talks to: one thread, one epoll loop, answers made of fixed text.
 *
 *   POST <any path>                       a chat completion; streamed if the body asks for "stream"
 *   GET  /mode?chunks=N&pace=US           from now on streams have N content chunks, US microseconds apart (0: burst)
 *   GET  /count                           how many connections were accepted and how many answers given
 *
 * It prints "port N" and serves until its standard input is closed.
 * A paced chunk is one write with Nagle's algorithm off; the next is due one pace after it was written, never
 * earlier, so that a late server does not send two at once.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MAX_FD 20000
#define MODEL_SIZE 64

struct buffer {
  char *data;
  size_t length, room;
};

struct connection {
  int in_use, streaming, waits_for_room, wants_usage;
  struct buffer in, out;
  size_t sent;
  long next_chunk;
  long chunks, pace;
  uint64_t due;
  char model[MODEL_SIZE];
};

static struct connection connections[MAX_FD];
static int paced[MAX_FD], paced_count; /* the connections with a paced stream */
static int poll_fd, timer_fd;
static long mode_chunks = 16, mode_pace = 0;
static long accepted = 0, answered = 0;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void append(struct buffer *buffer, const char *data, size_t length) {
  if (buffer->length + length + 1 > buffer->room) {
    buffer->room = (buffer->length + length + 1) * 2;
    buffer->data = realloc(buffer->data, buffer->room);
    if (buffer->data == NULL) die("realloc");
  }
  memcpy(buffer->data + buffer->length, data, length);
  buffer->length += length;
  buffer->data[buffer->length] = 0;
}

static void watch(int fd, uint32_t events, int operation) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(poll_fd, operation, fd, &event) < 0) die("epoll_ctl");
}

static void forget_paced(int fd) {
  for (int i = 0; i < paced_count; i++)
    if (paced[i] == fd) {
      paced[i] = paced[--paced_count];
      return;
    }
}

static void drop(int fd) {
  struct connection *one = &connections[fd];
  if (one->streaming) forget_paced(fd);
  free(one->in.data);
  free(one->out.data);
  memset(one, 0, sizeof *one);
  close(fd);
}

/* Returns 0 when the connection is gone. */
static int flush_out(int fd) {
  struct connection *one = &connections[fd];
  while (one->sent < one->out.length) {
    ssize_t wrote = send(fd, one->out.data + one->sent, one->out.length - one->sent, MSG_NOSIGNAL);
    if (wrote < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (!one->waits_for_room) watch(fd, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
      one->waits_for_room = 1;
      return 1;
    }
    if (wrote < 0) {
      drop(fd);
      return 0;
    }
    one->sent += (size_t)wrote;
  }
  one->sent = one->out.length = 0;
  if (one->waits_for_room) watch(fd, EPOLLIN, EPOLL_CTL_MOD);
  one->waits_for_room = 0;
  return 1;
}

static void append_event(struct connection *one, const char *choices, const char *more) {
  char event[1024], framed[1100];
  int length = snprintf(event, sizeof event,
                        "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1800000000,"
                        "\"model\":\"%s\",\"choices\":[%s]%s}\n\n",
                        one->model, choices, more);
  int total = snprintf(framed, sizeof framed, "%x\r\n%s\r\n", (unsigned)length, event);
  append(&one->out, framed, (size_t)total);
}

static void append_chunk(struct connection *one) {
  char choices[200];
  /* Each text is another one: LiteLLM ends a stream that repeats itself. */
  snprintf(choices, sizeof choices, "{\"index\":0,\"delta\":{\"content\":\"%05ld \"},\"finish_reason\":null}",
           one->next_chunk++);
  append_event(one, choices, "");
}

static void append_end(struct connection *one) {
  append_event(one, "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}", "");
  if (one->wants_usage)
    append_event(one, "", ",\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":9,\"total_tokens\":21}");
  const char *done = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";
  append(&one->out, done, strlen(done));
  one->streaming = 0;
  answered++;
}

static void start_stream(int fd, struct connection *one) {
  const char *head =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
      "x-request-id: bench\r\n\r\n";
  append(&one->out, head, strlen(head));
  one->next_chunk = 0;
  one->chunks = mode_chunks;
  one->pace = mode_pace;
  append_event(one, "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}", "");
  append_chunk(one);
  if (one->pace == 0) {
    while (one->next_chunk < one->chunks) append_chunk(one);
    append_end(one);
    return;
  }
  one->streaming = 1;
  one->due = now_ns() + (uint64_t)one->pace * 1000;
  paced[paced_count++] = fd;
}

static void answer_whole(struct connection *one) {
  char body[1024], head[1300];
  int length = snprintf(body, sizeof body,
                        "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1800000000,\"model\":\"%s\","
                        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello! How can I help "
                        "you today?\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":12,"
                        "\"completion_tokens\":9,\"total_tokens\":21}}",
                        one->model);
  int total = snprintf(head, sizeof head,
                       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nx-request-id: bench\r\n\r\n%s",
                       length, body);
  append(&one->out, head, (size_t)total);
  answered++;
}

static void answer_control(struct connection *one, const char *path) {
  char body[200], answer[400];
  const char *chunks = strstr(path, "chunks="), *pace = strstr(path, "pace=");
  if (chunks != NULL) mode_chunks = atol(chunks + 7);
  if (pace != NULL) mode_pace = atol(pace + 5);
  int length = snprintf(body, sizeof body, "{\"connections\":%ld,\"answers\":%ld}", accepted, answered);
  int total = snprintf(answer, sizeof answer,
                       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", length, body);
  append(&one->out, answer, (size_t)total);
}

static void take_model(struct connection *one, const char *body, size_t length) {
  static const char key[] = "\"model\":";
  const char *end = body + length, *found = memmem(body, length, key, sizeof key - 1);
  size_t i = 0;
  if (found != NULL) {
    found += sizeof key - 1;
    while (found < end && (*found == ' ' || *found == '"')) found++;
    while (found < end && *found != '"' && i < MODEL_SIZE - 1) one->model[i++] = *found++;
  }
  one->model[i] = 0;
}

static int asks(const char *body, size_t length, const char *with_space, const char *without) {
  return memmem(body, length, with_space, strlen(with_space)) != NULL ||
         memmem(body, length, without, strlen(without)) != NULL;
}

/* Answers each whole request in the buffer. Returns 0 when the connection is gone. */
static int serve(int fd) {
  struct connection *one = &connections[fd];
  while (one->in.length > 0 && !one->streaming) {
    char *head_end = memmem(one->in.data, one->in.length, "\r\n\r\n", 4);
    if (head_end == NULL) return 1;
    size_t head = (size_t)(head_end - one->in.data) + 4;
    *head_end = 0; /* so that the header search ends here */
    char *header = strcasestr(one->in.data, "\r\ncontent-length:");
    size_t body = header == NULL ? 0 : (size_t)atol(header + 17);
    *head_end = '\r';
    if (one->in.length < head + body) return 1;
    const char *text = one->in.data + head;
    if (strncmp(one->in.data, "POST ", 5) != 0) {
      answer_control(one, one->in.data);
    } else {
      take_model(one, text, body);
      if (asks(text, body, "\"stream\": true", "\"stream\":true")) {
        one->wants_usage = asks(text, body, "\"include_usage\": true", "\"include_usage\":true");
        start_stream(fd, one);
      } else {
        answer_whole(one);
      }
    }
    one->in.length -= head + body;
    memmove(one->in.data, one->in.data + head + body, one->in.length);
    if (!flush_out(fd)) return 0;
  }
  return 1;
}

static void take(int fd) {
  struct connection *one = &connections[fd];
  static char data[1 << 18];
  ssize_t got = recv(fd, data, sizeof data, 0);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) {
    drop(fd);
    return;
  }
  if (got > 0) {
    append(&one->in, data, (size_t)got);
    serve(fd);
  }
}

static void accept_all(int listener) {
  int fd, yes = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    if (fd >= MAX_FD) {
      close(fd);
      continue;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    memset(&connections[fd], 0, sizeof connections[fd]);
    connections[fd].in_use = 1;
    accepted++;
    watch(fd, EPOLLIN, EPOLL_CTL_ADD);
  }
}

/* Sends what is due and sets the timer for the next. */
static void tick(void) {
  uint64_t next = UINT64_MAX;
  for (int i = paced_count - 1; i >= 0; i--) {
    int fd = paced[i];
    struct connection *one = &connections[fd];
    uint64_t now = now_ns();
    if (one->due <= now) {
      int ends = one->next_chunk >= one->chunks;
      if (ends) append_end(one); else append_chunk(one);
      one->due = now + (uint64_t)one->pace * 1000;
      if (ends) paced[i] = paced[--paced_count];
      if (!flush_out(fd)) continue;
      if (ends) {
        serve(fd);
        continue;
      }
    }
    if (one->due < next) next = one->due;
  }
  struct itimerspec when = {0};
  if (next != UINT64_MAX) {
    when.it_value.tv_sec = (time_t)(next / 1000000000u);
    when.it_value.tv_nsec = (long)(next % 1000000000u);
  }
  timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

int main(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 4096) < 0) die("listen");
  getsockname(listener, (struct sockaddr *)&address, &size);
  poll_fd = epoll_create1(0);
  timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  watch(listener, EPOLLIN, EPOLL_CTL_ADD);
  watch(timer_fd, EPOLLIN, EPOLL_CTL_ADD);
  watch(STDIN_FILENO, EPOLLIN, EPOLL_CTL_ADD);
  printf("port %d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    struct epoll_event events[256];
    int count = epoll_wait(poll_fd, events, 256, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == STDIN_FILENO) return 0; /* whoever started us is gone */
      if (fd == listener) {
        accept_all(listener);
      } else if (fd == timer_fd) {
        uint64_t passed;
        if (read(timer_fd, &passed, sizeof passed) < 0) continue;
      } else if (connections[fd].in_use) {
        if ((events[i].events & EPOLLOUT) != 0 && (!flush_out(fd) || !serve(fd))) continue;
        if (connections[fd].in_use && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) take(fd);
      }
    }
    tick();
  }
}
