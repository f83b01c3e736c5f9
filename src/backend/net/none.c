/* A card whose cable leads nowhere: the link is up, what is sent is lost, nothing comes. */
#include <errno.h>
#include <stdlib.h>

#include "backend/net/net.h"

static void drop(void *opaque, unsigned queue, const struct io_piece *piece, unsigned pieces,
		 const struct net_offload *offload)
{
}

static void resume(void *opaque)
{
}

static void card_features(void *opaque, unsigned features)
{
}

static int none_open(struct net_network **out, struct io_loop *loop, const struct net_options *o,
		     struct error *err)
{
	struct net_network *n = calloc(1, sizeof(*n));

	if (!n)
		return error_set(err, -ENOMEM, "out of memory");
	*n = (struct net_network){
		.send = drop,
		.resume = resume,
		.card_features = card_features,
		.features = NET_TAKES_CSUM | NET_TAKES_TSO4 | NET_TAKES_TSO6 | NET_TAKES_UFO,
		.queues = o->queues,
	};
	*out = n;
	return 0;
}

static void none_close(struct net_network *n)
{
	free(n);
}

const struct net_backend net_none = {
	.name = "none",
	.spec = "none",
	.text = "a card without a network",
	.open = none_open,
	.close = none_close,
};
