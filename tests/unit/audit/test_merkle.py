from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from consumers.audit.merkle import Step, climb, path, root


def leaves_of(count: int) -> list[bytes]:
    return [sha256(str(number).encode()).digest() for number in range(count)]


@given(st.integers(1, 300), st.data())
def test_every_leaf_climbs_to_the_root(count: int, data: st.DataObject) -> None:
    leaves = leaves_of(count)
    index = data.draw(st.integers(0, count - 1))
    steps = path(leaves, index)
    assert climb(leaves[index], steps) == root(leaves)
    assert len(steps) <= (count - 1).bit_length()


@given(st.integers(2, 100), st.data())
def test_no_other_leaf_climbs_to_the_root(count: int, data: st.DataObject) -> None:
    leaves = leaves_of(count)
    index, other = data.draw(st.permutations(range(count)))[:2]
    assert climb(leaves[other], path(leaves, index)) != root(leaves)


def test_the_tree_has_the_shape_of_rfc_6962() -> None:
    # MTH(D[7]) splits at the largest power of two: ((0 1)(2 3))((4 5) 6)
    def node(left: bytes, right: bytes) -> bytes:
        return sha256(b"\x01" + left + right).digest()

    d = leaves_of(7)
    left = node(node(d[0], d[1]), node(d[2], d[3]))
    right = node(node(d[4], d[5]), d[6])
    assert root(d) == node(left, right)
    assert path(d, 6) == (
        Step("left", node(d[4], d[5]).hex()),
        Step("left", left.hex()),
    )


def test_the_root_over_nothing_is_the_hash_of_nothing() -> None:
    assert root([]) == sha256(b"").digest()
