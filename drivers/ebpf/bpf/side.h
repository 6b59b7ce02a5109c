/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The verdict of one side: on a connection's first packet, rebuilt from its entry, or on a packet by itself, as allow-stateless has it. */
#pragma once
#include "context.h"

/* for those whose callers leave it no room on the stack */
MAP(asked, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct question, 0);
MAP(judged, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct verdict_value, 0);

/* The verdict of one side on the connection's first packet, rebuilt from its key; of a side that was admitted the other way round, on that. */
__noinline int judge_side(const struct context *context, const struct conn_key *key, __u32 flags, __u32 side,
				 struct verdict_value *decision)
{
	if (!context || !key || !decision)
		return 0;
	__u32 originator_is_a = flags & CONN_ORIGINATOR_IS_A;
	side &= 1;
	if (flags & (CONN_TURNED << side)) {
		originator_is_a = !originator_is_a;
		side ^= 1;
	}
	const struct address *originator = originator_is_a ? &key->a : &key->b;
	const struct address *responder = originator_is_a ? &key->b : &key->a;
	__u32 zero = 0;
	struct question *question = bpf_map_lookup_elem(&asked, &zero);
	if (!question)
		return 0;
	question->port = originator_is_a ? key->port_b : key->port_a;
	question->proto = key->proto;
	look_up(context->slot, originator, &question->end[ORIGINATOR]);
	look_up(context->slot, responder, &question->end[RESPONDER]);
	return judge(context->slot, side, question, decision);
}

/*
 * Looks both ends of the packet up. Returns the reason why the packet is not this endpoint's own, or 0. A verdict is taken on addresses: one that is not
 * this endpoint's says nothing about what may reach it. What is sent to a group is left to policy, which knows no endpoint there.
 */
static __always_inline __u32 ask(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
				 const struct endpoint *endpoint, struct question *question)
{
	question->port = packet->icmp_kind == ICMP_NONE ? packet->destination_port : packet->icmp_type;
	question->proto = packet->proto;
	look_up(context->slot, &packet->source, &question->end[ORIGINATOR]);
	if (context->from && !is_own(&question->end[ORIGINATOR], skb->ifindex, endpoint, &packet->source))
		return REASON_SOURCE_ADDRESS;
	look_up(context->slot, &packet->destination, &question->end[RESPONDER]);
	if (!context->from && !is_group(&packet->destination) &&
	    !is_own(&question->end[RESPONDER], skb->ifindex, endpoint, &packet->destination))
		return REASON_NOT_FOR_ENDPOINT;
	return 0;
}

static __always_inline void note_monitored(const struct packet *packet, const struct verdict_value *decision, __u64 endpoint_and_direction)
{
	if (decision->flags & VERDICT_MONITOR)
		tell_monitored(packet, decision, endpoint_and_direction);
}

/* The tap on this host that owns the packet's destination and may be delivered to directly: same zone, same segment, the right MAC. */
static __always_inline struct endpoint *direct_destination(struct __sk_buff *skb, const struct endpoint *source, __u32 ifindex)
{
	if (!ifindex || ifindex == skb->ifindex || !source->segment || skb->mark)
		return 0;
	struct endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &ifindex);
	if (!endpoint || (endpoint->flags & ENDPOINT_CLOSED) || endpoint->zone != source->zone || endpoint->segment != source->segment)
		return 0;
	__u8 *frame = (__u8 *)(long)skb->data;
	if (frame + 6 > (__u8 *)(long)skb->data_end || !same_mac(frame, endpoint->mac))
		return 0;
	return endpoint;
}

static __always_inline int hand_over(struct __sk_buff *skb, const struct context *context, __u32 ifindex)
{
	skb->mark = context->mark;
	return bpf_redirect(ifindex, 0);
}

/* Judged by itself, and passes by itself: nothing is remembered, the next one is judged again. Told only for a rule with `log`, as there is no end to tell. */
static __always_inline void count_stateless(const struct packet *packet, const struct verdict_value *decision, __u64 at)
{
	count_rule(decision->rule, packet->packets, packet->bytes, 1);
	if (decision->flags & VERDICT_LOG)
		tell_passed(packet, decision, at);
}

/* Crosses the bridge, or is handed to the other tap at once when its side keeps no state either. */
static __always_inline int pass_stateless(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
					  const struct endpoint *endpoint, const struct question *question,
					  const struct verdict_value *decision)
{
	count_stateless(packet, decision, place(endpoint, context->from ? EGRESS : INGRESS));
	__u32 ifindex = question->end[RESPONDER].ifindex, zero = 0;
	struct endpoint *other = context->from && context->mark ? direct_destination(skb, endpoint, ifindex) : 0;
	struct verdict_value *at_other = other ? bpf_map_lookup_elem(&judged, &zero) : 0;
	if (!other || !at_other)
		return PASS;
	judge(context->slot, RESPONDER, question, at_other);
	if (at_other->action != ACTION_ALLOW_STATELESS)
		return PASS;
	note_monitored(packet, at_other, place(other, INGRESS));
	count_stateless(packet, at_other, place(other, INGRESS));
	return hand_over(skb, context, ifindex);
}

/* A packet that no connection admits and that begins none: only an allow-stateless verdict on itself lets it pass, else it is dropped for `reason`. */
__noinline int alone(struct __sk_buff *skb, const struct packet *packet, const struct context *context,
			    const struct endpoint *endpoint, __u32 reason)
{
	if (!packet || !context || !endpoint)
		return DROP;
	__u32 zero = 0;
	struct question *question = bpf_map_lookup_elem(&asked, &zero);
	if (!question)
		return DROP;
	__u32 wrong = ask(skb, packet, context, endpoint, question);
	if (wrong)
		return drop(packet, context, endpoint->index, wrong);
	struct verdict_value decision = {};
	judge(context->slot, context->from ? ORIGINATOR : RESPONDER, question, &decision);
	if (decision.action != ACTION_ALLOW_STATELESS)
		return drop(packet, context, endpoint->index, reason);
	note_monitored(packet, &decision, place(endpoint, context->from ? EGRESS : INGRESS));
	return pass_stateless(skb, packet, context, endpoint, question, &decision);
}
