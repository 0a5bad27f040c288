"""Write churn.csv: a made-up table of mobile subscriptions, as untidy as real ones are.

Several subscriptions may belong to one customer (so the split must keep customers together), columns have spaces, dots, units and
umlauts in their names, values are missing, and one column is an id. Usage: ``python make_churn.py [PATH]``.
"""

from __future__ import annotations

import argparse
import csv
from datetime import date, timedelta
from pathlib import Path

import numpy as np

ROWS = 3000
PLANS = {"Basic": 14.0, "Family": 39.0, "Unlimited": 55.0, "Prepaid": 9.0}
REGIONS = ("Nord", "Süd", "West", "Ost", "Île-de-France")
PAYMENTS = ("direct debit", "credit card", "invoice, by post", "gift card")
HEADER = (
    "subscription id",
    "customer",
    "signed up",
    "plan",
    "payment method",
    "région",
    "tenure.months",
    "monthly charges (€)",
    "data used [GB]",
    "support calls",
    "household size",
    "paperless",
    "churned",
)


def rows(number: int = ROWS, seed: int = 0) -> list[tuple[object, ...]]:
    """The table without its header; the same for the same seed.

    Args:
        number: of subscriptions.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    customers = rng.integers(0, number * 2 // 3, number)
    habit = rng.normal(size=number)  # what a customer's subscriptions have in common and the table does not tell
    table: list[tuple[object, ...]] = []
    for row, customer in enumerate(customers):
        plan = str(rng.choice(list(PLANS), p=[0.4, 0.2, 0.15, 0.25]))
        payment = str(rng.choice(PAYMENTS, p=[0.5, 0.3, 0.15, 0.05]))
        tenure = int(rng.gamma(2.0, 14.0))
        charges = round(PLANS[plan] * float(rng.normal(1.0, 0.1)), 2)
        used = round(float(rng.lognormal(2.0 if plan == "Unlimited" else 1.0, 0.7)), 1)
        calls = int(rng.poisson(1.2))
        household = int(rng.integers(1, 6))
        paperless = bool(rng.random() < 0.6)
        # Neither a heavy user of a small plan nor a light user of a large one stays: linear models cannot say this.
        mismatch = abs(np.log(used) - (2.0 if plan == "Unlimited" else 1.0))
        score = 2.2 * mismatch + 0.8 * calls - 0.06 * tenure + 0.9 * (payment == "invoice, by post") + 0.6 * habit[customer % number] - 1.5
        churned = rng.random() < 1 / (1 + np.exp(-score))
        table.append(
            (
                f"S-{row:06d}",
                f"C{customer:05d}",
                (date(2024, 12, 31) - timedelta(days=30 * tenure)).isoformat(),
                plan if rng.random() > 0.02 else "",
                payment,
                str(rng.choice(REGIONS)) if rng.random() > 0.1 else "",
                tenure,
                charges if rng.random() > 0.05 else "",
                used,
                calls,
                household if rng.random() > 0.2 else "",
                ("true" if paperless else "false") if rng.random() > 0.03 else "",
                "yes" if churned else "no",
            )
        )
    return table


def write(path: Path, number: int = ROWS) -> None:
    """Write the table as UTF-8 CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(rows(number))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write a made-up table of subscriptions, some of which are cancelled.")
    parser.add_argument(
        "file", type=Path, nargs="?", default=Path(__file__).with_name("churn.csv"), help="default: churn.csv beside this script"
    )
    write(parser.parse_args().file)
