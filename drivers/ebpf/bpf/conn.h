/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The connection table: keys, states, timeouts (docs/packet-fates.md lists them; decision 0003 says why the table is our own). */
#pragma once
#include "clock.h"
#include "maps.h"
#include "packet.h"
#include "tell.h"

static __always_inline int lower(const struct address *a, const struct address *b)
{
#pragma unroll
	for (int i = 3; i >= 0; i--)
		if (a->word[i] != b->word[i])
			return a->word[i] < b->word[i] ? 1 : -1;
	return 0;
}

/* Returns whether the sender is end `a`. */
static __always_inline int make_key(struct conn_key *key, const struct packet *packet, __u16 zone)
{
	int order = lower(&packet->source, &packet->destination);
	int source_is_a = order > 0 || (order == 0 && packet->source_port < packet->destination_port);
	key->zone = zone;
	key->proto = packet->proto;
	key->pad = 0;
	if (source_is_a) {
		key->a = packet->source;
		key->b = packet->destination;
		key->port_a = packet->source_port;
		key->port_b = packet->destination_port;
	} else {
		key->a = packet->destination;
		key->b = packet->source;
		key->port_a = packet->destination_port;
		key->port_b = packet->source_port;
	}
	return source_is_a;
}

static __always_inline __u32 timeout_seconds(const struct conn *conn, __u8 proto)
{
	switch (conn->state) {
	case STATE_SYN_SENT: return 120;
	case STATE_SYN_RECV: return 60;
	case STATE_ESTABLISHED: return 432000;
	case STATE_FIN_WAIT: return 120;
	case STATE_TIME_WAIT: return 120;
	case STATE_CLOSE: return 10;
	}
	int replied = conn->state == STATE_REPLIED;
	switch (proto) {
	case 17: return replied ? 120 : 30;
	case 1:
	case 58: return 30;
	case 132: return replied ? 210 : 30;
	}
	return 600;
}

static __always_inline int is_expired(const struct conn *conn, __u8 proto, __u64 now)
{
	/* a clock read before another CPU's write may be older than it */
	return (__s64)(now - conn->last_ns) > (__s64)(timeout_seconds(conn, proto) * SECOND_NS);
}

/* May this packet begin a connection? */
static __always_inline int begins(const struct packet *packet)
{
	if (packet->proto == 6)
		return (packet->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
	if (packet->proto == 132)
		return packet->sctp_init;
	return packet->icmp_kind != ICMP_REPLY && packet->icmp_kind != ICMP_ERROR;
}

/* Does the packet belong to a connection that `sender` did, or did not, begin? Queries and answers of ICMP share keys: an identifier may equal a type. */
static __always_inline int fits(const struct packet *packet, __u32 sender)
{
	if (packet->icmp_kind == ICMP_NONE)
		return 1;
	return (packet->icmp_kind == ICMP_REPLY) == (sender == RESPONDER);
}

static __always_inline int in_window(__u32 seq, __u32 from)
{
	return seq - from < 1u << 26;
}

/*
 * Moves the TCP state by a packet that `sender` sent. A RST counts only at the exact sequence number the other side expects (RFC 5961 §3.2):
 * one that is off is left to the endpoint's own TCP, and closes nothing here. Returns an enum flow_end when the connection ended by it.
 */
static __always_inline int advance_tcp(struct conn *conn, const struct packet *packet, __u32 sender)
{
	sender &= 1;
	__u32 other = sender ^ 1;
	__u8 flags = packet->tcp_flags;
	if (flags & TCP_RST) {
		int exact = conn->state == STATE_SYN_SENT ?
				    (sender == RESPONDER ? (flags & TCP_ACK) && packet->ack == conn->end[ORIGINATOR] :
							   packet->seq == conn->end[ORIGINATOR]) :
				    packet->seq == conn->ack[other];
		if (!exact || conn->state == STATE_TIME_WAIT)
			return 0;
		conn->state = STATE_CLOSE;
		return END_RESET;
	}
	if (flags & TCP_SYN) {
		if (sender == RESPONDER && conn->state == STATE_SYN_SENT) {
			/* also a simultaneous open, whose SYN acknowledges nothing */
			if ((flags & TCP_ACK) && packet->ack != conn->end[ORIGINATOR])
				return 0;
			conn->state = STATE_SYN_RECV;
			conn->end[RESPONDER] = packet->seq + packet->payload;
			conn->ack[RESPONDER] = packet->ack;
			conn->ack[ORIGINATOR] = packet->seq + 1;
		} else if (sender == ORIGINATOR && conn->state == STATE_SYN_SENT) {
			conn->end[ORIGINATOR] = packet->seq + packet->payload;
		}
		return 0;
	}
	if (conn->state == STATE_SYN_SENT || !in_window(packet->seq + (1u << 25), conn->ack[other]))
		return 0;
	if (conn->state == STATE_SYN_RECV && sender == ORIGINATOR && packet->ack == conn->end[RESPONDER])
		conn->state = STATE_ESTABLISHED;
	__u32 end = packet->seq + packet->payload;
	if ((__s32)(end - conn->end[sender]) > 0)
		conn->end[sender] = end;
	if ((__s32)(packet->ack - conn->ack[sender]) > 0 && (__s32)(packet->ack - conn->end[other]) <= 0)
		conn->ack[sender] = packet->ack;
	if ((flags & TCP_FIN) && (__s32)(packet->seq - conn->ack[other]) >= 0) {
		conn->flags |= sender == ORIGINATOR ? CONN_FIN_ORIGINATOR : CONN_FIN_RESPONDER;
		if (conn->state == STATE_ESTABLISHED || conn->state == STATE_SYN_RECV)
			conn->state = STATE_FIN_WAIT;
	} else if (conn->state == STATE_FIN_WAIT &&
		   (conn->flags & (CONN_FIN_ORIGINATOR | CONN_FIN_RESPONDER)) == (CONN_FIN_ORIGINATOR | CONN_FIN_RESPONDER)) {
		conn->state = STATE_TIME_WAIT;
		return END_CLOSED;
	}
	return 0;
}

/* Counts and advances; once per packet and table entry. Returns 1 when the entry has just earned its place in conn_est. */
static __always_inline int seen(struct conn *conn, const struct conn_key *key, const struct packet *packet, __u32 sender,
				__u64 now)
{
	sender &= 1;
	__u8 before = conn->state;
	conn->last_ns = now;
	__sync_fetch_and_add(&conn->packets[sender], packet->packets);
	__sync_fetch_and_add(&conn->bytes[sender], packet->bytes);
	if (packet->proto == 6) {
		int end = advance_tcp(conn, packet, sender);
		if (end)
			tell_end(key, conn, end);
		return before != STATE_ESTABLISHED && conn->state == STATE_ESTABLISHED;
	}
	if (sender == RESPONDER && before == STATE_UNREPLIED) {
		conn->state = STATE_REPLIED;
		return 1;
	}
	return 0;
}

static __always_inline __u32 *zone_count(__u32 zone)
{
	return bpf_map_lookup_elem(&zones, &zone);
}

/* Full conn_est, or the zone's part of it: it stays where it is, and works on as long as no flood pushes it out. */
static __always_inline void promote(const struct conn_key *key, struct conn *conn)
{
	__u32 *most = zone_count(0), *used = zone_count(key->zone);
	if (!most || !used || *used >= *most)
		return;
	if (bpf_map_update_elem(&conn_est, key, conn, BPF_NOEXIST) == 0) {
		__sync_fetch_and_add(used, 1);
		bpf_map_delete_elem(&conn_new, key);
	}
}

static __always_inline void forget(const struct conn_key *key)
{
	if (bpf_map_delete_elem(&conn_est, key) != 0) {
		bpf_map_delete_elem(&conn_new, key);
		return;
	}
	__u32 *used = zone_count(key->zone);
	if (used)
		__sync_fetch_and_add(used, -1);
}

/* The live entry of the packet, or 0. Established ones first: they are the fast path. `established` tells where it was found. */
static __always_inline struct conn *find(const struct conn_key *key, const struct packet *packet, __u64 now)
{
	struct conn *conn = bpf_map_lookup_elem(&conn_est, key);
	if (!conn)
		conn = bpf_map_lookup_elem(&conn_new, key);
	if (!conn)
		return 0;
	if (is_expired(conn, key->proto, now)) {
		tell_end(key, conn, END_TIMEOUT);
		forget(key);
		return 0;
	}
	if (key->proto == 6 && conn->state >= STATE_TIME_WAIT && conn->state <= STATE_CLOSE && begins(packet)) {
		forget(key);
		return 0;
	}
	return conn;
}
