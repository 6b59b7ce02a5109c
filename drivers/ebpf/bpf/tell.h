/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Counting and telling: rule counters, drop reasons, the ring buffer with a budget per endpoint. */
#pragma once
#include "clock.h"
#include "maps.h"
#include "packet.h"

/* Per endpoint and second. Flows, rules in monitor mode and rules with `log` have their own budgets, so that a flood of drops cannot silence them. */
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
		budget->told_monitored = 0;
		budget->answers = 0;
	}
	return budget;
}

/*
 * Is the rule beyond what it may tell in this second, on this host? Then that is counted, and told with its next record. CPUs that ask at one moment
 * may each be the last: the bound is right to their number.
 */
static __always_inline int over_rate(__u32 rule, __u32 rate)
{
	if (!rate)
		return 0;
	struct rate_budget *budget = bpf_map_lookup_elem(&rates, &rule);
	if (!budget)
		return 0;
	__u64 now = now_ns();
	if ((__s64)(now - budget->window_ns) >= (__s64)SECOND_NS) {
		budget->window_ns = now;
		budget->told = 0;
	}
	if (budget->told >= rate) {
		__sync_fetch_and_add(&budget->suppressed, 1);
		return 1;
	}
	__sync_fetch_and_add(&budget->told, 1);
	return 0;
}

static __always_inline __u32 take_suppressed(__u32 rule)
{
	struct rate_budget *budget = bpf_map_lookup_elem(&rates, &rule);
	if (!budget || !budget->suppressed)
		return 0;
	__u32 suppressed = budget->suppressed;
	__sync_fetch_and_add(&budget->suppressed, -suppressed);
	return suppressed;
}

/* A record to fill and submit, or 0 when the budget is spent (then it is counted as suppressed) or nobody reads. */
static __always_inline struct event *reserve(__u32 endpoint, __u8 kind, int logged)
{
	struct budget *budget = budget_of(endpoint);
	if (!budget)
		return 0;
	__u32 *suppressed = &budget->suppressed_flows, *told = &budget->told_flows, limit = TOLD_FLOWS_PER_SECOND;
	if (kind == EVENT_DROP) {
		suppressed = &budget->suppressed_drops;
		told = &budget->told;
		limit = TOLD_PER_SECOND;
	} else if (kind == EVENT_MONITOR) {
		suppressed = &budget->suppressed_monitored;
		told = &budget->told_monitored;
		limit = TOLD_PER_SECOND;
	}
	if (logged) {
		told = &budget->told_logged;
		limit = TOLD_LOGGED_PER_SECOND;
	}
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

static __always_inline void fill_packet(struct event *event, const struct packet *packet)
{
	event->packets = packet->packets;
	event->bytes = packet->bytes;
	__builtin_memcpy(event->source_mac, packet->source_mac, 6);
	if (!packet->has_tuple)
		return;
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

/* `how` = log rate << 32 | action << 8 | direction << 1 | logged. */
__noinline int tell_drop(const struct packet *packet, __u32 endpoint, __u32 reason, __u32 rule, __u64 how)
{
	if (!packet)
		return 0;
	count_drop(endpoint, reason);
	if (over_rate(rule, how >> 32))
		return 0;
	struct event *event = reserve(endpoint, EVENT_DROP, how & 1);
	if (!event)
		return 0;
	event->reason = reason;
	event->rule = rule;
	event->action = how >> 8;
	event->direction = (how >> 1) & 1;
	if (how >> 32)
		event->suppressed += take_suppressed(rule);
	fill_packet(event, packet);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* A rule in monitor mode would have decided: counted and told, and nothing else. */
__noinline int tell_monitored(const struct packet *packet, const struct verdict_value *decision, __u64 endpoint_and_direction)
{
	if (!packet || !decision)
		return 0;
	count_rule(decision->monitor, packet->packets, packet->bytes, 1);
	if (over_rate(decision->monitor, decision->monitor_rate))
		return 0;
	struct event *event = reserve(endpoint_and_direction, EVENT_MONITOR, decision->flags & VERDICT_MONITOR_LOG);
	if (!event)
		return 0;
	event->rule = decision->monitor;
	event->action = decision->monitor_action;
	event->direction = endpoint_and_direction >> 32;
	if (decision->monitor_rate)
		event->suppressed += take_suppressed(decision->monitor);
	fill_packet(event, packet);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* A packet passed by an allow-stateless rule with `log`: told as the beginning of a flow that has no end. */
__noinline int tell_passed(const struct packet *packet, const struct verdict_value *decision, __u64 endpoint_and_direction)
{
	if (!packet || !decision || over_rate(decision->rule, decision->rate))
		return 0;
	struct event *event = reserve(endpoint_and_direction, EVENT_FLOW_START, 1);
	if (!event)
		return 0;
	event->rule = decision->rule;
	event->direction = endpoint_and_direction >> 32;
	if (decision->rate)
		event->suppressed += take_suppressed(decision->rule);
	fill_packet(event, packet);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

__noinline int tell_flow(const struct conn_key *key, const struct conn *conn, __u32 side, __u32 kind, __u32 end)
{
	if (!key || !conn)
		return 0;
	side &= 1;
	if (conn->flags & (CONN_QUIET << side))
		return 0;
	struct event *event = reserve(conn->endpoint[side], kind, conn->flags & CONN_LOG);
	if (!event)
		return 0;
	int turned = !!(conn->flags & (CONN_TURNED << side));
	int a = !!(conn->flags & CONN_ORIGINATOR_IS_A) ^ turned;
	event->rule = conn->rule[side];
	event->direction = (side == ORIGINATOR) ^ turned ? EGRESS : INGRESS;
	event->action = end;
	event->packets = conn->packets[0] + conn->packets[1];
	event->bytes = conn->bytes[0] + conn->bytes[1];
	if (kind == EVENT_FLOW_START && (conn->flags & CONN_LOG))
		event->suppressed += take_suppressed(conn->rule[side]);
	event->has_tuple = 1;
	event->proto = key->proto;
	event->source = a ? key->a : key->b;
	event->destination = a ? key->b : key->a;
	event->source_port = a ? key->port_a : key->port_b;
	event->destination_port = a ? key->port_b : key->port_a;
	if (key->proto == 1 || key->proto == 58)
		event->source_port = 0;
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
