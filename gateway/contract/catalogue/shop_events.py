"""Lists the events about the shop: orders and what belongs to them, and the catalogue of goods.

One change of an order leads to several of its events: of the order as a whole, of its own row, and
of each payment, shipment and property that changed with it.
"""

from typing import Final

from gateway.contract.catalogue.row_making import rows
from gateway.contract.event_type import EventType

__all__ = ["SHOP_EVENTS"]

_GOODS_CHANGES: Final = {"ADD": "added", "UPDATE": "updated", "DELETE": "deleted"}
_ROW_CHANGES: Final = {"EntitySaved": "saved", "Deleted": "deleted"}

SHOP_EVENTS: Final[tuple[EventType, ...]] = (
    *rows(
        "OnSaleOrder",
        {"Saved": "saved"},
        scope="sale",
        area="sale.order",
        kind="order",
        page="sale/events/on-sale-order",
    ),
    *rows(
        "OnOrder",
        {"EntitySaved": "row_saved"},
        scope="sale",
        area="sale.order",
        kind="order",
        page="sale/events/on-order",
    ),
    *rows(
        "OnSaleBeforeOrder",
        {"Delete": "deletion_begun"},
        scope="sale",
        area="sale.order",
        kind="order",
        page="sale/events/on-sale-before-order",
    ),
    *rows(
        "OnOrder",
        {"Deleted": "deleted"},
        scope="sale",
        area="sale.order",
        kind="order",
        page="sale/events/on-order",
    ),
    *rows(
        "OnPayment",
        _ROW_CHANGES,
        scope="sale",
        area="sale.payment",
        kind="payment",
        page="sale/events/on-payment",
    ),
    *rows(
        "OnShipment",
        _ROW_CHANGES,
        scope="sale",
        area="sale.shipment",
        kind="shipment",
        page="sale/events/on-shipment",
    ),
    *rows(
        "OnPropertyValue",
        _ROW_CHANGES,
        scope="sale",
        area="sale.property_value",
        kind="order_property",
        page="sale/events/on-property-value",
    ),
    *rows(
        "CATALOG.PRODUCT.ON.",
        _GOODS_CHANGES,
        scope="catalog",
        area="catalog.product",
        kind="product",
        page="catalog/product/events/catalog-product-on",
    ),
    *rows(
        "CATALOG.PRICE.ON.",
        _GOODS_CHANGES,
        scope="catalog",
        area="catalog.price",
        kind="price",
        page="catalog/price/events/catalog-price-on",
    ),
    *rows(
        "CATALOG.PRICE.TYPE.ON.",
        _GOODS_CHANGES,
        scope="catalog",
        area="catalog.price_type",
        kind="price_type",
        page="catalog/price-type/events/catalog-price-type-on",
    ),
    *rows(
        "CATALOG.MEASURE.ON.",
        _GOODS_CHANGES,
        scope="catalog",
        area="catalog.measure",
        kind="measure",
        page="catalog/measure/events/catalog-measure-on",
    ),
    *rows(
        "CATALOG.ROUNDING.ON.",
        _GOODS_CHANGES,
        scope="catalog",
        area="catalog.rounding",
        kind="rounding",
        page="catalog/rounding-rule/events/catalog-rounding-on",
    ),
)
