"""Lists the events about what people work with in CRM: deals, contacts, their history, documents.

Bitrix24 tells the id alone of most. The events of deletions look like the others; what was deleted
cannot be asked for any more.
"""

from collections.abc import Mapping
from typing import Final

from gateway.contract.catalogue.row_making import CHANGES, rows
from gateway.contract.event_subject import COMMENT_SUBJECT
from gateway.contract.event_type import ENTITY_TYPE_ID, EventType

__all__ = ["CRM_OBJECT_EVENTS"]

_TEMPLATE_CHANGES: Final[Mapping[str, str]] = {**CHANGES, "Expose": "exposed"}
# What a template made has an id of its own, in `data[FIELDS][DEAL_ID]` or `[INVOICE_ID]`.

CRM_OBJECT_EVENTS: Final[tuple[EventType, ...]] = (
    *rows(
        "onCrmLead",
        CHANGES,
        scope="crm",
        area="crm.lead",
        kind="lead",
        page="crm/leads/events/on-crm-lead",
    ),
    *rows(
        "onCrmDeal",
        {**CHANGES, "MoveToCategory": "moved"},
        scope="crm",
        area="crm.deal",
        kind="deal",
        page="crm/deals/events/on-crm-deal",
    ),
    *rows(
        "onCrmDealRecurring",
        _TEMPLATE_CHANGES,
        scope="crm",
        area="crm.recurring_deal",
        kind="recurring_deal",
        page="crm/deals/recurring-deals/events/on-crm-deal-recurring",
    ),
    *rows(
        "onCrmContact",
        CHANGES,
        scope="crm",
        area="crm.contact",
        kind="contact",
        page="crm/contacts/events/on-crm-contact",
    ),
    *rows(
        "onCrmCompany",
        CHANGES,
        scope="crm",
        area="crm.company",
        kind="company",
        page="crm/companies/events/on-crm-company",
    ),
    *rows(
        "onCrmQuote",
        CHANGES,
        scope="crm",
        area="crm.quote",
        kind="quote",
        page="crm/quote/events/on-crm-quote",
    ),
    # The old invoices; the present ones are items of the type 31.
    *rows(
        "onCrmInvoice",
        {**CHANGES, "SetStatus": "status_set"},
        scope="crm",
        area="crm.invoice",
        kind="invoice",
        page="crm/outdated/invoice/events-invoice/on-crm-invoice",
    ),
    *rows(
        "onCrmInvoiceRecurring",
        _TEMPLATE_CHANGES,
        scope="crm",
        area="crm.recurring_invoice",
        kind="recurring_invoice",
        page="crm/outdated/invoice/events-invoice/on-crm-invoice-recurring",
    ),
    *rows(
        "onCrmDynamicItem",
        CHANGES,
        scope="crm",
        area=f"crm.item.{ENTITY_TYPE_ID}",
        kind=f"item.{ENTITY_TYPE_ID}",
        page="crm/universal/events/on-crm-dynamic-item",
        entity_type_places=("data[FIELDS][ENTITY_TYPE_ID]",),
    ),
    *rows(
        "onCrmTimelineComment",
        CHANGES,
        scope="crm",
        area="crm.timeline.comment",
        kind=COMMENT_SUBJECT,
        page="crm/timeline/comments/events/on-Crm-Timeline-Comment-*.html",
        # The first is what is sent, the second what the reference shows.
        id_places=("data[FIELDS][ID]", "data[ID]", "data[id]"),
    ),
    *rows(
        "onCrmActivity",
        CHANGES,
        scope="crm",
        area="crm.activity",
        kind="activity",
        page="crm/timeline/activities/events/on-crm-activity",
    ),
    # A button on an activity that the application itself has put into a timeline was pressed. What
    # the application gave the button stands beside the ids.
    *rows(
        "onCrmTimelineItem",
        {"Action": "button_pressed"},
        scope="crm",
        area="crm.activity",
        kind="activity",
        page="crm/timeline/activities/configurable/structure/action.html",
        id_places=("data[activityId]",),
    ),
    *rows(
        "onCrmDocumentGeneratorDocument",
        CHANGES,
        scope="crm",
        area="crm.document",
        kind="document",
        page="crm/document-generator/documents/events/on-crm-document-generator-document",
    ),
)
