-- Active WooCommerce subscriptions that are paid by Amazon Pay, as the rows that `perennial import` takes.
-- For shops whose orders are in tables of their own (WooCommerce > Settings > Advanced > Features: "High-performance order
-- storage"). Your tables may have another prefix than wp_. Explained in docs/guides/from-woocommerce.md.
SELECT
    permission.meta_value                                               AS charge_permission_id,
    CONCAT(
        'woo-', CAST(subscription.total_amount AS DECIMAL(20, 2)), '-', LOWER(subscription.currency),
        '-', span.meta_value, '-', unit.meta_value
    )                                                                   AS plan,
    CONCAT(REPLACE(due.meta_value, ' ', 'T'), '+00:00')                 AS anchor,
    COALESCE(NULLIF(site.option_value, ''), 'UTC')                      AS zone,
    CASE WHEN COALESCE(final.meta_value, '0') IN ('', '0') THEN ''
         ELSE CONCAT(REPLACE(final.meta_value, ' ', 'T'), '+00:00') END  AS ends_at,
    CONCAT('woo-subscription-', subscription.id)                        AS merchant_reference
FROM wp_wc_orders AS subscription
JOIN wp_wc_orders_meta AS permission
  ON permission.order_id = subscription.id AND permission.meta_key = 'amazon_charge_permission_id'
JOIN wp_wc_orders_meta AS unit
  ON unit.order_id = subscription.id AND unit.meta_key = '_billing_period'
JOIN wp_wc_orders_meta AS span
  ON span.order_id = subscription.id AND span.meta_key = '_billing_interval'
JOIN wp_wc_orders_meta AS due
  ON due.order_id = subscription.id AND due.meta_key = '_schedule_next_payment'
LEFT JOIN wp_wc_orders_meta AS final
  ON final.order_id = subscription.id AND final.meta_key = '_schedule_end'
LEFT JOIN wp_options AS site
  ON site.option_name = 'timezone_string'
WHERE subscription.type = 'shop_subscription'
  AND subscription.status = 'wc-active'
  AND subscription.payment_method = 'amazon_payments_advanced'
  AND permission.meta_value <> ''
  AND due.meta_value NOT IN ('', '0')
ORDER BY subscription.id;
