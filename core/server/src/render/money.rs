//! Amounts of money as people read them.

use serde_json::Value;
use windlass_model::facts::Money;

/// `50.00 EUR`, of an amount in the currency's smallest unit as the API gives it.
pub fn money(amount: &Value, currency: &Value) -> String {
    let currency = currency.as_str().unwrap_or_default();
    match amount.as_i64() {
        Some(amount) => Money { amount, currency: currency.to_owned() }.to_string(),
        None => format!("{amount} {currency}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_have_the_digits_of_their_currency() {
        for (amount, currency, shown) in [
            (123_450, "EUR", "1,234.50 EUR"),
            (5, "OMR", "0.005 OMR"),
            (700, "JPY", "700 JPY"),
            (-700, "EUR", "\u{2212}7.00 EUR"),
        ] {
            assert_eq!(money(&json!(amount), &json!(currency)), shown);
        }
        assert_eq!(money(&json!(null), &json!("EUR")), "null EUR");
    }
}
