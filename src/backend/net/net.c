/* The list of networks: see net.h. */
#include "backend/net/net.h"

const struct net_backend *const net_backend_registry[] = {
	&net_user, &net_tap, &net_socket, &net_none, NULL,
};
