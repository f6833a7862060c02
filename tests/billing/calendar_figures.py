"""Billing dates from other systems' own tests and documentation, as tables. The last column says whose they are."""

from typing import Final

FIRST_ANCHORS: Final = [
    # from, anchor day, first date, source
    ("2012-02-16", 30, "2012-02-29", "killbill TestInAdvanceBillingIntervalDetail"),
    ("2012-02-16", 14, "2012-03-14", "killbill TestInAdvanceBillingIntervalDetail"),
    ("2013-03-02", 3, "2013-03-03", "killbill TestInAdvanceBillingIntervalDetail"),
    ("2013-03-04", 3, "2013-04-03", "killbill TestInAdvanceBillingIntervalDetail"),
    ("2022-07-19", 23, "2022-07-23", "killbill TestBillCycleDayCalculator"),
    ("2022-02-19", 31, "2022-02-28", "killbill TestBillCycleDayCalculator"),
    ("2022-07-19", 1, "2022-08-01", "ours: the first of the month"),
    ("2022-12-31", 31, "2022-12-31", "ours: the day itself counts"),
    ("2022-12-31", 30, "2023-01-30", "ours: over the end of a year"),
    ("2023-01-31", 30, "2023-02-28", "ours: the next month is shorter"),
]

NTH_MONTHS: Final = [
    # anchor, months in the interval, {number: date}, source
    ("2024-01-31", 1, {1: "2024-02-29", 2: "2024-03-31", 3: "2024-04-30"}, "stripe billing-cycle"),
    ("2024-01-31", 1, {1: "2024-02-29", 2: "2024-03-31", 3: "2024-04-30"}, "polar RecurringInterval.get_next_period"),
    ("2024-01-31", 1, {1: "2024-02-29"}, "flexprice date_test"),
    ("2024-12-31", 2, {1: "2025-02-28"}, "flexprice date_test"),
    ("2024-02-29", 12, {1: "2025-02-28"}, "flexprice date_test"),
    ("2024-02-29", 36, {1: "2027-02-28"}, "flexprice date_test"),
    ("2016-01-30", 1, {1: "2016-02-29"}, "woocommerce-subscriptions-core wcs_add_months"),
    ("2014-01-31", 3, {1: "2014-04-30"}, "woocommerce-subscriptions-core wcs_add_months"),
    ("2024-01-31", 1, {1: "2024-02-29"}, "flowglad billingIntervalHelpers"),
    ("2024-02-29", 12, {1: "2025-02-28"}, "flowglad billingIntervalHelpers"),
]

NTH_MONTHS_OF_OTHERS: Final = [
    # anchor, months, number, their date, our date, source
    ("2014-09-30", 61, 1, "2019-10-31", "2019-10-30", "woocommerce: a last day stays a last day"),
    ("2020-02-29", 12, 1, "2021-03-01", "2021-02-28", "woocommerce: a leap day moves into March"),
    ("2024-01-31", 1, 2, "2024-03-29", "2024-03-31", "flowglad: reckoned from the previous date"),
]

PERIODS_CONTAINING: Final = [
    # anchor, months, day, start, end, source
    ("2025-01-31", 1, "2025-08-13", "2025-07-31", "2025-08-31", "openmeter recurrence_test"),
    ("2021-03-31", 1, "2021-04-30", "2021-04-30", "2021-05-31", "lago subscriptions/dates"),
    ("2022-01-30", 1, "2022-02-28", "2022-02-28", "2022-03-30", "lago subscriptions/dates"),
    ("2019-04-30", 1, "2020-03-15", "2020-02-29", "2020-03-30", "lago subscriptions/dates"),
]

LOCAL_DAYS: Final = [
    # instant in UTC, zone, day of the month there, source
    ("2012-07-16 21:17:03", "Pacific/Honolulu", 16, "killbill TestWithTimeZones"),
    ("2012-07-16 21:17:03", "Asia/Tokyo", 17, "killbill TestWithTimeZones"),
    ("2015-08-01 01:00:00", "Asia/Tokyo", 1, "killbill TestWithTimeZones"),
]
