import { type ReactNode, useId, useState } from 'react';
import { Dialog, Heading, Input, Label, Modal, ModalOverlay, TextField } from 'react-aria-components';
import { useTexts } from '../lib/texts.ts';
import texts from '../texts/problem.ts';
import { Button } from './button.tsx';
import styles from './parts.module.css';
import { ProblemBox } from './problem.tsx';

/**
 * A button that first says what it will do. `act` gets the reason that was written, or undefined; an error that it throws is shown in the
 * dialog, which stays. `refused`: why it cannot be done now; the dialog then only says so.
 */
export function Confirm({
  label,
  kind,
  says,
  children,
  refused,
  isDisabled = false,
  act,
}: {
  label: string;
  kind?: 'primary' | 'danger' | undefined;
  says: string;
  children?: ReactNode;
  refused?: string | null;
  isDisabled?: boolean;
  act: (reason: string | undefined) => Promise<unknown>;
}) {
  const t = useTexts(texts);
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [reason, setReason] = useState('');
  const describes = useId();
  const submit = async () => {
    setBusy(true);
    setError(null);
    try {
      await act(reason === '' ? undefined : reason);
      setOpen(false);
      setReason('');
    } catch (thrown) {
      setError(thrown);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button kind={kind} isDisabled={isDisabled} onPress={() => setOpen(true)}>
        {label}
      </Button>
      <ModalOverlay
        className={styles['overlay'] ?? ''}
        isOpen={open}
        isDismissable={!busy}
        onOpenChange={(next) => {
          setOpen(next);
          setError(null);
        }}
      >
        <Modal className={styles['modal'] ?? ''}>
          <Dialog className={styles['dialog'] ?? ''} aria-describedby={describes}>
            <Heading slot="title" level={2}>
              {label}
            </Heading>
            <p id={describes}>{says}</p>
            {refused && <p className={styles['problem']}>{refused}</p>}
            <form
              className={styles['field']}
              onSubmit={(event) => {
                event.preventDefault();
                if (!refused) void submit();
              }}
            >
              {!refused && children}
              {!refused && (
                <TextField className={styles['field'] ?? ''} value={reason} onChange={setReason} maxLength={500}>
                  <Label>{t.reason}</Label>
                  <Input />
                </TextField>
              )}
              {error !== null && <ProblemBox error={error} />}
              <div className={styles['actions']}>
                <Button onPress={() => setOpen(false)} isDisabled={busy}>
                  {t.back}
                </Button>
                {!refused && (
                  <Button type="submit" kind={kind ?? 'primary'} isDisabled={busy}>
                    {label}
                  </Button>
                )}
              </div>
            </form>
          </Dialog>
        </Modal>
      </ModalOverlay>
    </>
  );
}
