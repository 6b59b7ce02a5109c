/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Counting and telling: rule counters, drop reasons, the ring buffer with a budget per endpoint. */
#pragma once
#include "clock.h"
#include "maps.h"
#include "packet.h"

/* Per endpoint and second. Flows and rules with `log` have their own budgets, so that a flood of drops cannot silence them. */
#define TOLD_PER_SECOND 50
#define TOLD_FLOWS_PER_SECOND 500
#define TOLD_LOGGED_PER_SECOND 500
#define ANSWERS_PER_SECOND 100

static __always_inline void count_rule(__u32 index, __u32 packets, __u32 bytes, __u32 hits)
{
	struct counter *counter = bpf_map_lookup_elem(&counters, &index);
	if (!counter)
		return;
	/* per CPU, and tc programs are not preempted by each other on one CPU */
	counter->packets += packets;
	counter->bytes += bytes;
	counter->hits += hits;
}

static __always_inline struct budget *budget_of(__u32 endpoint)
{
	struct budget *budget = bpf_map_lookup_elem(&budgets, &endpoint);
	if (!budget)
		return 0;
	__u64 now = now_ns();
	/* signed: another CPU may have begun the window after our look at the clock */
	if ((__s64)(now - budget->window_ns) > (__s64)SECOND_NS) {
		budget->window_ns = now;
		budget->told = 0;
		budget->told_flows = 0;
		budget->told_logged = 0;
		budget->answers = 0;
	}
	return budget;
}

/* A record to fill and submit, or 0 when the budget is spent (then it is counted as suppressed) or nobody reads. */
static __always_inline struct event *reserve(__u32 endpoint, __u8 kind, int logged)
{
	struct budget *budget = budget_of(endpoint);
	if (!budget)
		return 0;
	__u32 *suppressed = kind == EVENT_DROP ? &budget->suppressed_drops : &budget->suppressed_flows;
	__u32 *told = logged ? &budget->told_logged : kind == EVENT_DROP ? &budget->told : &budget->told_flows;
	__u32 limit = logged ? TOLD_LOGGED_PER_SECOND : kind == EVENT_DROP ? TOLD_PER_SECOND : TOLD_FLOWS_PER_SECOND;
	if (*told >= limit) {
		__sync_fetch_and_add(suppressed, 1);
		return 0;
	}
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(suppressed, 1);
		return 0;
	}
	*told += 1;
	__builtin_memset(event, 0, sizeof(*event));
	event->at_ns = bpf_ktime_get_ns();
	event->endpoint = endpoint;
	event->kind = kind;
	event->suppressed = *suppressed;
	*suppressed = 0;
	return event;
}

static __always_inline void count_drop(__u32 endpoint, __u32 reason)
{
	struct drop_counters *counter = bpf_map_lookup_elem(&drops, &endpoint);
	if (counter)
		counter->packets[reason & (REASON_COUNT - 1)] += 1;
}

/* `how` = action << 8 | direction << 1 | logged. */
__noinline int tell_drop(const struct packet *packet, __u32 endpoint, __u32 reason, __u32 rule, __u32 how)
{
	if (!packet)
		return 0;
	count_drop(endpoint, reason);
	struct event *event = reserve(endpoint, EVENT_DROP, how & 1);
	if (!event)
		return 0;
	event->reason = reason;
	event->rule = rule;
	event->action = how >> 8;
	event->direction = (how >> 1) & 1;
	event->packets = packet->packets;
	event->bytes = packet->bytes;
	__builtin_memcpy(event->source_mac, packet->source_mac, 6);
	if (packet->has_tuple) {
		event->has_tuple = 1;
		event->source = packet->source;
		event->destination = packet->destination;
		event->proto = packet->proto;
		event->source_port = packet->source_port;
		event->destination_port = packet->destination_port;
		if (packet->proto == 1 || packet->proto == 58) {
			event->source_port = 0;
			event->destination_port = packet->icmp_type;
		}
	}
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static __always_inline void fill_tuple(struct event *event, const struct conn_key *key, const struct conn *conn)
{
	int a = conn->flags & CONN_ORIGINATOR_IS_A;
	event->has_tuple = 1;
	event->proto = key->proto;
	event->source = a ? key->a : key->b;
	event->destination = a ? key->b : key->a;
	event->source_port = a ? key->port_a : key->port_b;
	event->destination_port = a ? key->port_b : key->port_a;
	if (key->proto == 1 || key->proto == 58)
		event->source_port = 0;
}

__noinline int tell_flow(const struct conn_key *key, const struct conn *conn, __u32 side, __u32 kind, __u32 end)
{
	if (!key || !conn)
		return 0;
	side &= 1;
	struct event *event = reserve(conn->endpoint[side], kind, conn->flags & CONN_LOG);
	if (!event)
		return 0;
	event->rule = conn->rule[side];
	event->direction = side == ORIGINATOR ? EGRESS : INGRESS;
	event->action = end;
	event->packets = conn->packets[0] + conn->packets[1];
	event->bytes = conn->bytes[0] + conn->bytes[1];
	fill_tuple(event, key, conn);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* Once for each side that was admitted here. */
static __always_inline void tell_end(const struct conn_key *key, struct conn *conn, __u32 end)
{
	if (conn->flags & CONN_TOLD)
		return;
	conn->flags |= CONN_TOLD;
	if (conn->epoch[ORIGINATOR])
		tell_flow(key, conn, ORIGINATOR, EVENT_FLOW_END, end);
	if (conn->epoch[RESPONDER])
		tell_flow(key, conn, RESPONDER, EVENT_FLOW_END, end);
}
