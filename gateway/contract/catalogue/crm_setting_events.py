"""Lists the events about how CRM is set up: custom fields, types, requisites, currencies, products.

An id of a custom field is that of the field in the portal, whatever it is a field of; so the
subject says of what kind of object.
"""

from itertools import chain
from typing import Final

from gateway.contract.catalogue.row_making import CHANGES, USER_FIELD_CHANGES, rows
from gateway.contract.event_type import EventType

__all__ = ["CRM_SETTING_EVENTS"]

_USER_FIELDS: Final = (
    ("Lead", "lead", "crm/leads/userfield/events/on-crm-lead"),
    ("Deal", "deal", "crm/deals/user-defined-fields/events/on-crm-deal"),
    ("Contact", "contact", "crm/contacts/userfield/events/on-crm-contact"),
    ("Company", "company", "crm/companies/userfields/events/on-crm-company"),
    ("Quote", "quote", "crm/quote/user-field/events/on-crm-quote"),
    ("Invoice", "invoice", "crm/outdated/invoice/events-invoice/on-crm-invoice"),
    ("Requisite", "requisite", "crm/requisites/events/on-crm-requisite"),
    # Of all smart processes; `data[FIELDS][ENTITY_ID]` says of which: CRM_13.
    ("Type", "item", "crm/universal/userfieldconfig/events/on-crm-type"),
)

CRM_SETTING_EVENTS: Final[tuple[EventType, ...]] = (
    *chain.from_iterable(
        rows(
            f"onCrm{name}UserField",
            USER_FIELD_CHANGES,
            scope="crm",
            area=f"crm.{kind}.field",
            kind=f"{kind}_field",
            page=f"{page}-user-field",
        )
        for name, kind, page in _USER_FIELDS
    ),
    *rows(
        "onCrmType",
        CHANGES,
        scope="crm",
        area="crm.type",
        kind="crm_type",
        page="crm/universal/events/type/on-crm-type",
    ),
    *rows(
        "onCrmRequisite",
        CHANGES,
        scope="crm",
        area="crm.requisite",
        kind="requisite",
        page="crm/requisites/events/on-crm-requisite",
    ),
    *rows(
        "onCrmBankDetail",
        CHANGES,
        scope="crm",
        area="crm.bank_detail",
        kind="bank_detail",
        page="crm/requisites/events/on-crm-bank-detail",
    ),
    # An address has no id: it is the one of a type, of an object of a type. The reference shows
    # numbers of the types; what is sent are their names.
    *rows(
        "onCrmAddress",
        {"Register": "registered", "Unregister": "unregistered"},
        scope="crm",
        area="crm.address",
        kind="address",
        page="crm/requisites/events/on-crm-address",
        id_places=(),
    ),
    # The id is the code of the currency: EUR.
    *rows(
        "onCrmCurrency",
        CHANGES,
        scope="crm",
        area="crm.currency",
        kind="currency",
        page="crm/currency/events/on-crm-currency",
    ),
    *rows(
        "onCrmMeasure",
        CHANGES,
        scope="crm",
        area="crm.measure",
        kind="crm_measure",
        page="crm/outdated/measure/events/on-crm-measure",
    ),
    *rows(
        "onCrmProduct",
        CHANGES,
        scope="crm",
        area="crm.product",
        kind="crm_product",
        page="crm/outdated/products/events-custom/on-crm-product",
    ),
    *rows(
        "onCrmProductProperty",
        CHANGES,
        scope="crm",
        area="crm.product_property",
        kind="product_property",
        page="crm/outdated/products/events-custom/on-crm-product-property",
    ),
    *rows(
        "onCrmProductSection",
        CHANGES,
        scope="crm",
        area="crm.product_section",
        kind="product_section",
        page="crm/outdated/product-section/events/on-crm-product-section",
    ),
)
