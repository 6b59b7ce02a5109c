/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What every room of the data path shares: the packet's context, and the ways to drop it. */
#pragma once
#include "answer.h"
#include "conn.h"
#include "guard.h"
#include "tell.h"

#define PASS TC_ACT_UNSPEC
#define DROP TC_ACT_SHOT

/* What one packet is judged by; read once. */
struct context {
	__u32 slot;
	__u32 epoch;
	__u32 mark;
	__u16 from; /* 1 in from_vm */
	__u16 inspected; /* has been through a gateway of this host */
};

static __always_inline int drop(const struct packet *packet, const struct context *context, __u32 endpoint, __u32 reason)
{
	tell_drop(packet, endpoint, reason, 0, ACTION_DROP << 8 | (context->from ? EGRESS : INGRESS) << 1);
	return DROP;
}

/* What came out of a gateway on its way to a tap of this host; differs from the mark of what is judged, and is never 0. */
static __always_inline __u32 inspected_mark(__u32 mark)
{
	return mark == 1 ? 2 : mark ^ 1;
}

static __always_inline __u64 place(const struct endpoint *endpoint, __u32 direction)
{
	return (__u64)direction << 32 | endpoint->index;
}

/* A verdict that is not allow: counted at its rule, told, and answered when it says so. */
__noinline int deny(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
			   const struct verdict_value *decision, __u64 endpoint_and_direction)
{
	if (!packet || !context || !decision)
		return DROP;
	__u32 endpoint = endpoint_and_direction;
	count_rule(decision->rule, packet->packets, packet->bytes, 1);
	/* inspected traffic goes through a gateway; none serves here, so it goes nowhere */
	tell_drop(packet, endpoint, decision->action == ACTION_INSPECT ? REASON_NO_GATEWAY : REASON_POLICY, decision->rule,
		  (__u64)decision->rate << 32 | decision->action << 8 | (endpoint_and_direction >> 32) << 1 |
			  (decision->flags & VERDICT_LOG));
	if (decision->action != ACTION_REJECT || !context->mark || skb->mark)
		return DROP;
	if (answer(skb, packet, endpoint))
		return DROP;
	/* back into the sender's own tap, or as if from the receiver's, so that the bridge carries it wherever the sender is */
	skb->mark = context->mark;
	return bpf_redirect(skb->ifindex, context->from ? 0 : BPF_F_INGRESS);
}

/*
 * Does the packet name the endpoint of this tap as its sender, or as its receiver? A verdict is taken on addresses: one that is not this endpoint's says
 * nothing about what may reach it. What is sent to a group is left to policy, which knows no endpoint there.
 */
static __always_inline int wrong_address(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
					 const struct endpoint *endpoint)
{
	if (context->from)
		return owns(context->slot, skb->ifindex, endpoint, &packet->source) ? 0 : REASON_SOURCE_ADDRESS;
	if (is_group(&packet->destination) || owns(context->slot, skb->ifindex, endpoint, &packet->destination))
		return 0;
	return REASON_NOT_FOR_ENDPOINT;
}
