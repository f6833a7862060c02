-- As woocommerce.sql, for shops whose orders are in the table of posts ("WordPress posts storage").
SELECT
    permission.meta_value                                               AS charge_permission_id,
    CONCAT(
        'woo-', CAST(total.meta_value AS DECIMAL(20, 2)), '-', LOWER(currency.meta_value),
        '-', span.meta_value, '-', unit.meta_value
    )                                                                   AS plan,
    CONCAT(REPLACE(due.meta_value, ' ', 'T'), '+00:00')                 AS anchor,
    COALESCE(NULLIF(site.option_value, ''), 'UTC')                      AS zone,
    CASE WHEN COALESCE(final.meta_value, '0') IN ('', '0') THEN ''
         ELSE CONCAT(REPLACE(final.meta_value, ' ', 'T'), '+00:00') END  AS ends_at,
    CONCAT('woo-subscription-', subscription.ID)                        AS merchant_reference
FROM wp_posts AS subscription
JOIN wp_postmeta AS permission
  ON permission.post_id = subscription.ID AND permission.meta_key = 'amazon_charge_permission_id'
JOIN wp_postmeta AS method
  ON method.post_id = subscription.ID AND method.meta_key = '_payment_method'
JOIN wp_postmeta AS total
  ON total.post_id = subscription.ID AND total.meta_key = '_order_total'
JOIN wp_postmeta AS currency
  ON currency.post_id = subscription.ID AND currency.meta_key = '_order_currency'
JOIN wp_postmeta AS unit
  ON unit.post_id = subscription.ID AND unit.meta_key = '_billing_period'
JOIN wp_postmeta AS span
  ON span.post_id = subscription.ID AND span.meta_key = '_billing_interval'
JOIN wp_postmeta AS due
  ON due.post_id = subscription.ID AND due.meta_key = '_schedule_next_payment'
LEFT JOIN wp_postmeta AS final
  ON final.post_id = subscription.ID AND final.meta_key = '_schedule_end'
LEFT JOIN wp_options AS site
  ON site.option_name = 'timezone_string'
WHERE subscription.post_type = 'shop_subscription'
  AND subscription.post_status = 'wc-active'
  AND method.meta_value = 'amazon_payments_advanced'
  AND permission.meta_value <> ''
  AND due.meta_value NOT IN ('', '0')
ORDER BY subscription.ID;
