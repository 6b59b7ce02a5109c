/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Through the gateway and back. A gateway is a bump in the wire between two ports of this host that are on no bridge. What the originator of a connection sends
 * goes into its inside port and comes out of the outside one, what the responder sends goes the other way, addresses and MACs untouched. What comes out
 * goes on where it was taken from: into the sender's tap as if just sent, marked, or to the receiver's. A marked packet is never taken again.
 */
#pragma once
#include "context.h"

/* indexed like `counters`: what inspects for a rule */
MAP(steering, BPF_MAP_TYPE_ARRAY, 16384, __u32, struct steering, 0);
MAP(gateways, BPF_MAP_TYPE_ARRAY, GATEWAY_COUNT, __u32, struct gateway, 0);
MAP(gateway_state, BPF_MAP_TYPE_ARRAY, 1, __u32, struct gateway_state, 0);
/* ifindex -> gateway << 1 | side */
MAP(gateway_ports, BPF_MAP_TYPE_HASH, 2 * GATEWAY_COUNT, __u32, __u32, BPF_F_NO_PREALLOC);
MAP(gateway_counts, BPF_MAP_TYPE_PERCPU_ARRAY, GATEWAY_COUNT, __u32, struct gateway_counter, 0);
/* the last probe that came through, by the side it went in */
MAP(gateway_seen, BPF_MAP_TYPE_ARRAY, GATEWAY_COUNT, __u32, struct gateway_seen, 0);
/* only the driver reads and writes it */
MAP(gateway_names, BPF_MAP_TYPE_HASH, GATEWAY_COUNT, __u32, struct gateway_name, BPF_F_NO_PREALLOC);

struct frame_key {
	struct packet packet;
	struct conn_key key;
};
MAP(returned, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct frame_key, 0);

static __always_inline __u32 mix(__u32 h)
{
	h ^= h >> 16;
	h *= 0x85ebca6b;
	h ^= h >> 13;
	h *= 0xc2b2ae35;
	return h ^ h >> 16;
}

struct choice {
	__u64 members;
	__u32 hash;
	__u32 best;
	__u32 score;
	__u32 pad;
};

static long consider(__u32 id, struct choice *choice)
{
	__u32 score = mix(choice->hash ^ id * 0x9e3779b1);
	if (!(choice->members >> (id & 63) & 1) || (choice->best && score <= choice->score))
		return 0;
	choice->best = id;
	choice->score = score;
	return 0;
}

/*
 * The gateway of a connection: the highest score among those up and not draining, so that one that comes or goes moves no connection of the others. Draining ones
 * serve when no other does. The key is the same for both directions; the zone is left out, as two tenants' ends of one connection are to agree.
 */
__noinline int choose_gateway(const struct conn_key *key, __u64 members)
{
	if (!key)
		return 0;
	__u32 zero = 0, hash = 0;
	struct gateway_state *state = bpf_map_lookup_elem(&gateway_state, &zero);
	if (!state)
		return 0;
	members &= state->up;
	if (members & ~state->draining)
		members &= ~state->draining;
	if (!members)
		return 0;
	const __u32 *word = (const __u32 *)key;
	/* both addresses and both ports; a loop, as the stack has no room for eight words at once */
#pragma clang loop unroll(disable)
	for (int i = 0; i < 9; i++)
		hash = mix(hash ^ word[i]) + i;
	hash ^= key->proto;
	struct choice choice = { .members = members, .hash = hash };
	bpf_loop(GATEWAY_COUNT, consider, &choice, 0);
	return choice.best;
}

/* Whether a rule that inspects lets a connection begin: a gateway is there, or the rule does without. */
static __always_inline int may_inspect(const struct conn_key *key, __u32 rule)
{
	struct steering *steering_ = bpf_map_lookup_elem(&steering, &rule);
	return steering_ && ((steering_->flags & STEERING_FAIL_OPEN) || choose_gateway(key, steering_->members));
}

/* Inspected by a rule that this host has gateways for, up or not, or that does without. */
static __always_inline int is_steered(const struct verdict_value *decision)
{
	__u32 rule = decision->rule;
	if (decision->action != ACTION_INSPECT)
		return 0;
	struct steering *steering_ = bpf_map_lookup_elem(&steering, &rule);
	return steering_ && (steering_->flags & STEERING_FAIL_OPEN || steering_->members);
}

/*
 * Sends the packet of an inspected connection into its gateway. A gateway that went away is replaced by another; without any, the rule says whether the packet
 * goes on without inspection (PASS) or not at all. The connection stays: it goes on when a gateway is back.
 */
__noinline int steer(struct __sk_buff *skb, const struct packet *packet, const struct context *context, const struct conn_key *key,
		     __u64 endpoint_and_side)
{
	if (!packet || !context || !key)
		return DROP;
	struct conn *conn = bpf_map_lookup_elem(&conn_est, key);
	if (!conn)
		conn = bpf_map_lookup_elem(&conn_new, key);
	if (!conn)
		return DROP;
	__u32 zero = 0, side = (endpoint_and_side >> 32) & 1, rule = conn->rule[side];
	struct steering *wanted = bpf_map_lookup_elem(&steering, &rule);
	struct gateway_state *state = bpf_map_lookup_elem(&gateway_state, &zero);
	__u32 id = conn->gateway;
	/* what the other side chose serves this side too: a connection meets one gateway */
	__u64 members = !wanted ? 0 : conn->flags & (CONN_INSPECT << (side ^ 1)) ? ~0ull : wanted->members;
	if (!state || !wanted || !context->mark)
		id = 0;
	else if (!id || id >= GATEWAY_COUNT || !(members >> id & 1) || !(state->up >> id & 1)) {
		id = choose_gateway(key, wanted->members);
		conn->gateway = id;
	}
	struct gateway *gateway = id ? bpf_map_lookup_elem(&gateways, &id) : 0;
	__u32 sender = context->from ? side : side ^ 1;
	__u32 ifindex = !gateway ? 0 : sender == ORIGINATOR ? gateway->ifindex[0] : gateway->ifindex[1];
	if (!ifindex) {
		if (wanted && (wanted->flags & STEERING_FAIL_OPEN))
			return PASS;
		tell_drop(packet, endpoint_and_side, REASON_NO_GATEWAY, rule,
			  ACTION_INSPECT << 8 | (context->from ? EGRESS : INGRESS) << 1);
		return DROP;
	}
	struct gateway_counter *count = bpf_map_lookup_elem(&gateway_counts, &id);
	if (count) {
		count->packets += packet->packets;
		count->bytes += packet->bytes;
	}
	skb->mark = context->mark;
	return bpf_redirect(ifindex, 0);
}

static __always_inline int refuse(__u32 id)
{
	struct gateway_counter *count = bpf_map_lookup_elem(&gateway_counts, &id);
	if (count)
		count->refused += 1;
	return DROP;
}

/* Whether the connection at this endpoint goes through that gateway, and its packet left by the right port; answers 1 + whether it was taken at `as_sender`. */
__noinline int came_from(const struct conn_key *key, __u32 id_and_side, __u32 as_sender)
{
	if (!key)
		return 0;
	struct conn *conn = bpf_map_lookup_elem(&conn_est, key);
	if (!conn)
		conn = bpf_map_lookup_elem(&conn_new, key);
	if (!conn || conn->gateway != id_and_side >> 1)
		return 0;
	/* out of the outside port: sent by the originator */
	__u32 sender = id_and_side & 1 ? ORIGINATOR : RESPONDER;
	__u32 source_is_a = as_sender >> 1 & 1;
	if (sender != (source_is_a == !!(conn->flags & CONN_ORIGINATOR_IS_A) ? ORIGINATOR : RESPONDER))
		return 0;
	__u32 side = as_sender & 1 ? sender : sender ^ 1;
	return !!(conn->flags & (CONN_INSPECT << side));
}

/* Out of a gateway's port: only packets of connections that go through it, with the MAC and address of the endpoint they were taken at. */
static __always_inline int from_gateway_port(struct __sk_buff *skb)
{
	__u32 zero = 0, ifindex = skb->ifindex;
	struct control *control = bpf_map_lookup_elem(&control_map, &zero);
	__u32 *port = bpf_map_lookup_elem(&gateway_ports, &ifindex);
	struct frame_key *now = bpf_map_lookup_elem(&returned, &zero);
	if (!control || !control->mark || !port || !now)
		return DROP;
	__u32 id = *port >> 1, side = *port & 1;
	__u32 slot = *(volatile __u64 *)&control->generation & 1;
	struct packet *packet = &now->packet;
	__builtin_memset(packet, 0, sizeof(*packet));
	pull_headers(skb);
	__u8 *frame = (__u8 *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	if ((void *)(frame + ETH_HEADER) > end || skb->vlan_present)
		return refuse(id);
	packet->packets = skb->gso_segs ? skb->gso_segs : 1;
	__u16 type = load16(frame + 12);
	if (type == PROBE_TYPE) {
		struct gateway_seen *seen = bpf_map_lookup_elem(&gateway_seen, &id);
		if ((void *)(frame + ETH_HEADER + 8) <= end && seen)
			seen->probe[!side] = (__u64)load32(frame + ETH_HEADER) << 32 | load32(frame + ETH_HEADER + 4);
		return DROP;
	}
	int reason = type == 0x0800 ? parse_ipv4(skb, packet, frame + ETH_HEADER, end) :
		     type == 0x86dd ? parse_ipv6(skb, packet, frame + ETH_HEADER, end) : REASON_NON_IP;
	if (reason)
		return refuse(id);
	__u32 source = owner_of(slot, &packet->source), destination = owner_of(slot, &packet->destination);
	struct endpoint *sender = source ? bpf_map_lookup_elem(&endpoints, &source) : 0;
	struct endpoint *receiver = destination ? bpf_map_lookup_elem(&endpoints, &destination) : 0;
	__u32 to_sender = 0, to_receiver = 0;
	if (sender && !(sender->flags & ENDPOINT_CLOSED) && same_mac(frame + 6, sender->mac)) {
		__u32 source_is_a = make_key(&now->key, packet, sender->zone);
		to_sender = came_from(&now->key, *port, source_is_a << 1 | 1);
	}
	if (!to_sender && receiver && !(receiver->flags & ENDPOINT_CLOSED)) {
		/* the program may have lost sight of the frame */
		frame = (__u8 *)(long)skb->data;
		if ((void *)(frame + ETH_HEADER) > (void *)(long)skb->data_end || !same_mac(frame, receiver->mac))
			return refuse(id);
		__u32 source_is_a = make_key(&now->key, packet, receiver->zone);
		to_receiver = came_from(&now->key, *port, source_is_a << 1);
	}
	if (!to_sender && !to_receiver)
		return refuse(id);
	struct gateway_counter *count = bpf_map_lookup_elem(&gateway_counts, &id);
	if (count)
		count->returned += packet->packets;
	/* judged already; that it was inspected matters only to a tap of this host */
	skb->mark = to_sender && receiver ? inspected_mark(control->mark) : control->mark;
	return to_sender ? bpf_redirect(source, BPF_F_INGRESS) : bpf_redirect(destination, 0);
}
