/*
 * Sockets for a guest that has no tool for them, static: "vsock listen PORT" takes connections and
 * sends what comes back, "vsock connect CID PORT" sends its input and prints what comes, both until
 * the end of the other side; connect's exit status is 1 if there is nobody. "vsock messages CID
 * PORT" is connect by a seqpacket socket: sends each line of its input as a message, and prints how
 * long what comes back is.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static int copy(int from, int to)
{
	static char buf[64 << 10];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0, done; at < n; at += done)
			if ((done = write(to, buf + at, (size_t)(n - at))) <= 0)
				return 1;
	return n < 0;
}

static int listen_at(int fd, struct sockaddr_vm *a)
{
	if (bind(fd, (struct sockaddr *)a, sizeof(*a)) < 0 || listen(fd, 64) < 0) {
		perror("listen");
		return 1;
	}
	puts("listening");
	fflush(stdout);
	for (;;) {
		int c = accept(fd, NULL, NULL);

		if (fork() == 0)
			_exit(copy(c, c) || shutdown(c, SHUT_WR));
		close(c);
	}
}

static int connect_to(int fd, struct sockaddr_vm *a)
{
	int failed;

	if (connect(fd, (struct sockaddr *)a, sizeof(*a)) < 0) {
		perror("connect");
		return 1;
	}
	if (fork() == 0)
		_exit(copy(0, fd) || shutdown(fd, SHUT_WR));
	failed = copy(fd, 1);
	return failed;
}

static int messages_to(int fd, struct sockaddr_vm *a)
{
	static char line[256 << 10];

	if (connect(fd, (struct sockaddr *)a, sizeof(*a)) < 0) {
		perror("connect");
		return 1;
	}
	while (fgets(line, sizeof(line), stdin)) {
		size_t len = strcspn(line, "\n");

		if (send(fd, line, len, 0) != (ssize_t)len) {
			perror("send");
			continue;
		}
		printf("%zd\n", recv(fd, line, sizeof(line), 0));
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_vm a = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY};
	int messages = argc == 4 && strcmp(argv[1], "messages") == 0;
	int fd = socket(AF_VSOCK, messages ? SOCK_SEQPACKET : SOCK_STREAM, 0);

	if (fd < 0) {
		perror("socket");
		return 1;
	}
	if (argc == 3 && strcmp(argv[1], "listen") == 0) {
		a.svm_port = (uint32_t)strtoul(argv[2], NULL, 10);
		return listen_at(fd, &a);
	}
	if (argc == 4 && (messages || strcmp(argv[1], "connect") == 0)) {
		a.svm_cid = (uint32_t)strtoul(argv[2], NULL, 10);
		a.svm_port = (uint32_t)strtoul(argv[3], NULL, 10);
		return messages ? messages_to(fd, &a) : connect_to(fd, &a);
	}
	return 2;
}
