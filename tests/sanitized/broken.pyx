# cython: language_level=3, boundscheck=False, wraparound=False
"""Every kind of table touched where it must not be: each function is to end the process.

Compiled by test_reports.py, with the sanitizer, against the package's own headers.
"""

from libc.stdlib cimport malloc
from ratsnake.daemon.loop.frame_batch cimport Batch
from ratsnake.nat.allocation.sticky_ports cimport StickyPorts
from ratsnake.nat.allocation.counter_table cimport CounterTable
from ratsnake.nat.events.event_ring cimport EventRing
from ratsnake.nat.packets.fragment_coverage cimport Coverage
from ratsnake.nat.packets.fragment_tracking cimport Fragments
from ratsnake.nat.packets.packet_pool cimport PacketPool
from ratsnake.nat.tables.host_table cimport HostTable
from ratsnake.nat.tables.hash_index cimport Index
from ratsnake.nat.tables.mapping_table cimport MappingTable
from ratsnake.nat.tables.behaviour_by_protocol cimport PolicyTable
from ratsnake.nat.tables.row_layouts cimport Numbers, new_numbers
from ratsnake.nat.tables.hash_secret cimport Secret
from ratsnake.nat.tables.session_table cimport SessionTable
from ratsnake.nat.error_responses.unsolicited_syns cimport UnsolicitedSyns

cdef Secret secret = Secret(range(8))


cdef MappingTable mappings(behaviours):
    return MappingTable(100, PolicyTable([behaviours]), secret)


cdef MappingTable one_mapping(behaviours):
    table = mappings(behaviours)
    assert table.add(0, 0, 1, 2, 0, 3, 0, 4, 5) == 1
    return table


cdef SessionTable one_session(behaviours):
    table = SessionTable(100, one_mapping(behaviours), secret)
    cdef unsigned int i = table.row_for_new()
    table.rows[i].timer = 1
    table.enter(i, 1, 0, 4, 5)
    return table


def a_session_that_ended(behaviours):
    table = one_session(behaviours)
    cdef unsigned int i = table.fresh - 1
    assert table.rows[i].remote_low == 4
    table.remove(i)
    return table.rows[i].expires


def a_session_that_never_was(behaviours):
    table = one_session(behaviours)
    return table.rows[table.fresh].mapping


def session_0(behaviours):
    return one_session(behaviours).rows[0].mapping


def a_session_beyond_the_table(behaviours):
    table = one_session(behaviours)
    return table.rows[table.capacity + 7].mapping


def a_session_before_the_table(behaviours):
    return (one_session(behaviours).rows - 1).mapping


def a_mapping_that_ended(behaviours):
    table = one_mapping(behaviours)
    assert table.rows[1].internal_low == 1
    table.remove(1)
    return table.rows[1].internal_low


def the_external_endpoint_of_a_mapping_that_ended(behaviours):
    table = one_mapping(behaviours)
    assert table.rows[1].external_port == 3
    table.remove(1)
    table.rows[1].external_port = 4


def the_partner_of_a_mapping_that_ended(behaviours):
    table = one_mapping(behaviours)
    assert table.partners[1].remote_low in (0, 4)
    table.remove(1)
    return table.partners[1].remote_low


def a_mapping_that_never_was(behaviours):
    return one_mapping(behaviours).rows[2].policy


def a_host_that_has_nothing(behaviours):
    table = HostTable(100, secret)
    row = table.enter(0, 1)
    assert table.mappings_of(row) == 0
    table.settle(row)
    return table.mappings_of(row)


def a_host_that_never_was(behaviours):
    return HostTable(100, secret).is_live(1)


def a_number_that_was_forgotten(behaviours):
    counters = CounterTable(100, secret)
    counters.add(1, 0, 1)
    assert counters.rows[1].number == 1
    counters.remove(1, 0, 1)
    return counters.rows[1].low


def an_endpoint_that_never_was(behaviours):
    return StickyPorts(100, secret).last_port(1)


def a_datagram_that_is_forgotten(behaviours):
    fragments = Fragments(100, PacketPool(10, 1000), secret, 1000)
    row = fragments.make(0, 1, 0, 2, 4, 17, 3, 0)
    assert fragments.state_of(row)
    fragments.end(row)
    return fragments.state_of(row)


def a_syn_that_was_answered(behaviours):
    syns = UnsolicitedSyns(10, secret)
    packet = bytes(40)
    assert syns.hold(0, 1, 0, 2, 3, packet, 40, 20, 0)
    assert syns.rows[1].remote_low == 2
    syns.cancel(0, 1, 0, 2, 3)
    return syns.rows[1].remote_low


def an_event_that_was_taken(behaviours):
    ring = EventRing()
    cdef unsigned int at = ring.new_row(1, 2)
    assert ring.rows[at].time == 2
    ring.take(1)
    return ring.rows[at].time


def a_slot_beyond_an_index(behaviours):
    index = Index(100)
    return index.slots[index.mask + 1]


def a_slot_of_the_array_that_an_index_has_left(behaviours):
    index = Index(100)
    for row in range(1, 90):
        index.insert(row, row)
        moved = index.moving()
        while moved:
            index.move(moved, moved)
            moved = index.moving()
    assert index.old_mask == 0
    return index.old[0]


def a_number_beyond_an_array(behaviours):
    cdef Numbers numbers = new_numbers(10)
    return numbers[10]


def a_range_of_a_datagram_beyond_the_table(behaviours):
    return Coverage(3).add(3, 0, 8, False)


def a_packet_that_was_given_back(behaviours):
    packet_pool = PacketPool(10, 1000)
    packet, copy = bytearray(b"packet"), bytearray(6)
    slot = packet_pool.store(packet, 6)
    packet_pool.drop(slot)
    return packet_pool.copy_out(slot, copy)


def a_frame_in_a_full_batch(behaviours):
    batch = Batch()
    while batch.add(1):
        pass
    batch.next_frame()[0] = 1


def a_byte_beyond_a_batch(behaviours):
    batch = Batch()
    batch.next_frame()[32768 + 65600] = 1
