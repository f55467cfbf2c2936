-- Harbor: triggers, routines and an event.  Loaded after the rows, so that the rows are exactly those of data.sql.
-- A server with binlog on and log_bin_trust_function_creators=0 wants SUPER for this file.

SET NAMES utf8mb4;
SET time_zone = '+00:00';
SET @harbor_old_sql_mode = @@sql_mode;
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION';
USE harbor;

DELIMITER //

CREATE TRIGGER order_after_update AFTER UPDATE ON `order` FOR EACH ROW
BEGIN
  -- A change of status leaves a trace; other changes do not.
  IF NOT (OLD.status <=> NEW.status) THEN
    INSERT INTO audit_trail (actor, action, subject, detail)
      VALUES ('trigger', 'update', CONCAT('order/', NEW.id), JSON_OBJECT('from', OLD.status, 'to', NEW.status));
  END IF;
END//

CREATE TRIGGER payment_after_insert AFTER INSERT ON payment FOR EACH ROW
BEGIN
  INSERT INTO ledger_entry (account, amount, order_id) VALUES ('4000', NEW.amount, NEW.order_id), ('1200', -NEW.amount, NEW.order_id);
END//

CREATE TRIGGER cart_after_delete AFTER DELETE ON cart FOR EACH ROW
  INSERT INTO cart_tombstone (cart_id) VALUES (OLD.id)//

CREATE TRIGGER product_before_insert BEFORE INSERT ON product FOR EACH ROW SET NEW.sku = UPPER(NEW.sku)//

CREATE FUNCTION order_balance(p_order_id BIGINT UNSIGNED) RETURNS DECIMAL(16,2)
  READS SQL DATA
  COMMENT 'What is still to be paid; the total less all payments'
BEGIN
  DECLARE v_total, v_paid DECIMAL(16,2) DEFAULT 0;
  SELECT total INTO v_total FROM `order` WHERE id = p_order_id;
  SELECT IFNULL(SUM(amount), 0) INTO v_paid FROM payment WHERE order_id = p_order_id;
  RETURN v_total - v_paid;
END//

CREATE FUNCTION nautical_miles(p_km DOUBLE) RETURNS DOUBLE
  DETERMINISTIC NO SQL
  RETURN p_km / 1.852//

CREATE PROCEDURE cancel_order(IN p_order_id BIGINT UNSIGNED, OUT p_lines INT)
  MODIFIES SQL DATA
BEGIN
  # The lines stay; only their stock is given back; the delimiter of this file is not a semicolon.
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    RESIGNAL;
  END;
  START TRANSACTION;
  UPDATE stock AS s
    JOIN order_line AS l ON l.product_id = s.product_id
    JOIN `order` AS o ON o.id = l.order_id AND o.warehouse_id = s.warehouse_id
    SET s.reserved = GREATEST(s.reserved - l.quantity, 0)
    WHERE o.id = p_order_id;
  UPDATE `order` SET status = 'cancelled' WHERE id = p_order_id;
  SELECT COUNT(*) INTO p_lines FROM order_line WHERE order_id = p_order_id;
  COMMIT;
END//

CREATE PROCEDURE port_report(IN p_name VARCHAR(60))
  READS SQL DATA SQL SECURITY INVOKER
  SELECT port, COUNT(*) AS products, SUM(available) AS available FROM stock_by_port WHERE port LIKE p_name GROUP BY port//

CREATE EVENT purge_sessions
  ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 03:00:00'
  ON COMPLETION PRESERVE ENABLE
  COMMENT 'Removes sessions that have run out'
  DO DELETE FROM session WHERE expires_at < NOW() - INTERVAL 1 DAY//

DELIMITER ;

SET sql_mode = @harbor_old_sql_mode;
