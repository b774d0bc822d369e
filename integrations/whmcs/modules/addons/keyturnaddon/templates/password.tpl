{if $keyturn.done}<div class="alert alert-success" role="status">{$keyturn.done|escape:'html'}</div>{/if}
{if $keyturn.error}<div class="alert alert-danger" role="alert">{$keyturn.error|escape:'html'}</div>{/if}
{if $keyturn.lines}
<dl>
{foreach from=$keyturn.lines key=label item=line}
    <dt>{$label|escape:'html'}</dt>
    <dd>{$line|escape:'html'}</dd>
{/foreach}
</dl>
{/if}
{if $keyturn.form}
<form method="post" action="{$keyturn.page|escape:'html'}" autocomplete="off">
    <input type="hidden" name="token" value="{$token|escape:'html'}">
    <div class="form-group">
        <label for="keyturn-new">{$keyturn.words.new|escape:'html'}</label>
        <input class="form-control" id="keyturn-new" name="new" type="password" autocomplete="new-password" required>
    </div>
    <div class="form-group">
        <label for="keyturn-again">{$keyturn.words.again|escape:'html'}</label>
        <input class="form-control" id="keyturn-again" name="again" type="password" autocomplete="new-password" required>
    </div>
    <button class="btn btn-primary" type="submit">{$keyturn.words.save|escape:'html'}</button>
</form>
{/if}
